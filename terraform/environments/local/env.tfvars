project       = "scones"
environment   = "local"
region        = "us-east-1"
force_destroy = true

aws_api = {
  s3_path_style = true
  max_retries   = 2
}

# Nothing here lives long, and the provider waits a minute for lifecycle rules to settle.
retention = {
  log_days          = 7
  key_deletion_days = 7
  expires_objects   = false
}

rollout = {
  bake_seconds        = 0
  termination_seconds = 0
}

alarms = {
  monthly_budget_usd = 20
}
