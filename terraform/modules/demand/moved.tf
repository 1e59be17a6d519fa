# These resources were the module's own before job_state_machine: they keep what they have. Each
# instance by itself, as the module has instances now.

moved {
  from = aws_cloudwatch_log_group.this["this"]
  to   = module.job_state_machine["this"].aws_cloudwatch_log_group.this
}

moved {
  from = aws_sfn_state_machine.this["this"]
  to   = module.job_state_machine["this"].aws_sfn_state_machine.this
}

moved {
  from = aws_scheduler_schedule.this["this"]
  to   = module.job_state_machine["this"].aws_scheduler_schedule.this["this"]
}

moved {
  from = aws_iam_role.this["machine"]
  to   = module.job_state_machine["this"].aws_iam_role.this["machine"]
}

moved {
  from = aws_iam_role.this["jobs"]
  to   = module.job_state_machine["this"].aws_iam_role.this["jobs"]
}

moved {
  from = aws_iam_role.this["starter"]
  to   = module.job_state_machine["this"].aws_iam_role.this["starter"]
}

moved {
  from = aws_iam_role_policy.this["machine"]
  to   = module.job_state_machine["this"].aws_iam_role_policy.this["machine"]
}

moved {
  from = aws_iam_role_policy.this["jobs"]
  to   = module.job_state_machine["this"].aws_iam_role_policy.this["jobs"]
}

moved {
  from = aws_iam_role_policy.this["starter"]
  to   = module.job_state_machine["this"].aws_iam_role_policy.this["starter"]
}
