project     = "scones"
environment = "prod"
region      = "us-east-1"

# Only prod reserves concurrency; a new account may have none to reserve.
limits = {
  function_concurrency = 50
}

rollout = {
  bake_seconds        = 300
  termination_seconds = 300
}

alarms = {
  monthly_budget_usd = 600
  # email            = "<address>"
}

# Two, so that a release starts as a canary and a failed instance is not an outage.
autoscaling = {
  min    = 2
  max    = 4
  target = 600
}

office_hours = {
  from     = "06:00"
  to       = "22:00"
  days     = "SUN-SAT"
  timezone = "Etc/UTC"
  action   = "scale-in"
}

# The output permissions_boundary_arn of bootstrap; GitHub's apply role creates no role without it.
# permissions_boundary_arn = "arn:aws:iam::<account id>:policy/ci/scones-prod-boundary"

# account_id = "<account id>"
