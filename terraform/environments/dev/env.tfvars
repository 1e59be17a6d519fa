project       = "scones"
environment   = "dev"
region        = "us-east-1"
force_destroy = true

retention = {
  log_days          = 30
  capture_days      = 30
  key_deletion_days = 7
}

rollout = {
  bake_seconds        = 60
  termination_seconds = 60
}

alarms = {
  monthly_budget_usd = 150
  # email            = "<address>"
}

# An endpoint is billed by the hour, and this one is not used at night.
office_hours = {
  from     = "07:00"
  to       = "19:00"
  timezone = "Etc/UTC"
}

# The output permissions_boundary_arn of bootstrap; GitHub's apply role creates no role without it.
# permissions_boundary_arn = "arn:aws:iam::<account id>:policy/ci/scones-dev-boundary"

# account_id = "<account id>"
