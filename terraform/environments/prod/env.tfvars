project     = "scones"
environment = "prod"
region      = "us-east-1"

# Concurrency is reserved here alone; a new account may have none to reserve.
function_concurrency = 50

rollout_bake_seconds        = 300
rollout_termination_seconds = 300
