output "state_machine_arn" {
  description = "ARN of the state machine."
  value       = aws_sfn_state_machine.this.arn
}

output "definition" {
  description = "The rendered definition, for tests and reviews."
  value       = aws_sfn_state_machine.this.definition
}

output "schedule" {
  description = "Expression and time zone of the schedule, for tests and reviews; null without one."
  value = try({
    expression = aws_scheduler_schedule.this["this"].schedule_expression
    timezone   = aws_scheduler_schedule.this["this"].schedule_expression_timezone
  }, null)
}

output "role_arns" {
  description = "ARNs of the roles machine, jobs and starter; they depend on the roles' policies."
  value       = { for key, role in aws_iam_role.this : key => role.arn }
  depends_on  = [aws_iam_role_policy.this]
}

output "policies" {
  description = "Each role's policy as JSON, for tests and reviews."
  value       = { for key, policy in aws_iam_role_policy.this : key => policy.policy }
}
