project                = "scones"
environment            = "dev"
region                 = "us-east-1"
force_destroy          = true
log_retention_days     = 30
capture_retention_days = 30

key_deletion_window_days    = 7
rollout_bake_seconds        = 60
rollout_termination_seconds = 60
