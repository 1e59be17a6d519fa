output "name" {
  description = "Name of the state machine."
  value       = aws_sfn_state_machine.this.name
}

output "arn" {
  description = "ARN of the state machine."
  value       = aws_sfn_state_machine.this.arn
}

output "version_arn" {
  description = "ARN of the published version."
  value       = aws_sfn_state_machine.this.state_machine_version_arn
}

output "definition" {
  description = "The rendered definition, for tests and reviews."
  value       = local.definition
}
