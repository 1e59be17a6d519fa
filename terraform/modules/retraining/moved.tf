# These resources were the module's own before job_state_machine: they keep what they have.

moved {
  from = aws_cloudwatch_log_group.this
  to   = module.job_state_machine.aws_cloudwatch_log_group.this
}

moved {
  from = aws_sfn_state_machine.this
  to   = module.job_state_machine.aws_sfn_state_machine.this
}

moved {
  from = aws_scheduler_schedule.this
  to   = module.job_state_machine.aws_scheduler_schedule.this
}

moved {
  from = aws_iam_role.this
  to   = module.job_state_machine.aws_iam_role.this
}

moved {
  from = aws_iam_role_policy.this
  to   = module.job_state_machine.aws_iam_role_policy.this
}
