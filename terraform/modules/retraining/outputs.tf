output "state_machine_arn" {
  description = "ARN of the state machine that retrains."
  value       = module.job_state_machine.state_machine_arn
}

output "definition" {
  description = "The rendered definition, for tests and reviews."
  value       = module.job_state_machine.definition
}

output "schedule" {
  description = "Expression and time zone of the schedule, for tests and reviews; null without one."
  value       = module.job_state_machine.schedule
}

output "policies" {
  description = "Each role's policy as JSON, for tests and reviews."
  value       = module.job_state_machine.policies
}
