output "model_group" {
  description = "Name of the model package group of the demand forecast."
  value       = aws_sagemaker_model_package_group.this.model_package_group_name
}

output "model_name" {
  description = "Name of the SageMaker model; empty without one."
  value       = try(aws_sagemaker_model.this["this"].name, "")
}

output "state_machine_arn" {
  description = "ARN of the state machine that forecasts; empty without a model."
  value       = try(module.job_state_machine["this"].state_machine_arn, "")
}

output "definition" {
  description = "The rendered definition, for tests and reviews; empty without a model."
  value       = try(module.job_state_machine["this"].definition, "")
}

output "schedule" {
  description = "Expression and time zone of the schedule, for tests and reviews; null without one."
  value       = try(module.job_state_machine["this"].schedule, null)
}

output "policies" {
  description = "Each role's policy as JSON, for tests and reviews; none without a model."
  value       = try(module.job_state_machine["this"].policies, {})
}
