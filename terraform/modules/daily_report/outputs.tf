output "state_machine_arn" {
  description = "ARN of the state machine that reports a day."
  value       = module.job_state_machine.state_machine_arn
}

output "definition" {
  description = "The rendered definition, for tests and reviews."
  value       = module.job_state_machine.definition
}

output "policies" {
  description = "Each role's policy as JSON, for tests and reviews."
  value       = module.job_state_machine.policies
}

output "settings" {
  description = "What the job reads as its settings, for tests and reviews."
  value       = aws_s3_object.settings.content
}
