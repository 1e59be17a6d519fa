project              = "scones"
environment          = "local"
region               = "us-east-1"
s3_use_path_style    = true
provider_max_retries = 2
force_destroy        = true
log_retention_days   = 7

key_deletion_window_days    = 7
rollout_bake_seconds        = 0
rollout_termination_seconds = 0
monthly_budget_usd          = 20
