project                = "scones"
environment            = "dev"
region                 = "us-east-1"
force_destroy          = true
log_retention_days     = 30
capture_retention_days = 30

key_deletion_window_days    = 7
rollout_bake_seconds        = 60
rollout_termination_seconds = 60
monthly_budget_usd          = 150

# Nobody asks it at night, and an endpoint is paid for by the hour.
office_hours = {
  from     = "07:00"
  to       = "19:00"
  timezone = "Etc/UTC"
}

# The output permissions_boundary_arn of bootstrap; GitHub's apply role makes no role without it.
# permissions_boundary_arn = "arn:aws:iam::<account id>:policy/ci/scones-dev-boundary"

# account_id  = "<account id>"
# alarm_email = "<address>"
