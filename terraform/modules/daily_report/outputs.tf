output "state_machine_arn" {
  description = "ARN of the state machine that reports a day."
  value       = aws_sfn_state_machine.this.arn
}

output "definition" {
  description = "The rendered definition, for tests and reviews."
  value       = aws_sfn_state_machine.this.definition
}

output "policies" {
  description = "Each role's policy as JSON, for tests and reviews."
  value       = { for key, policy in aws_iam_role_policy.this : key => policy.policy }
}
