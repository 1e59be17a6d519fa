output "model_group" {
  description = "Name of the model package group of the demand forecast."
  value       = aws_sagemaker_model_package_group.this.model_package_group_name
}

output "model_name" {
  description = "Name of the model that forecasts; empty without one."
  value       = try(aws_sagemaker_model.this["this"].name, "")
}

output "state_machine_arn" {
  description = "ARN of the state machine that forecasts; empty without a model."
  value       = try(aws_sfn_state_machine.this["this"].arn, "")
}

output "definition" {
  description = "The rendered definition, for tests and reviews; empty without a model."
  value       = try(aws_sfn_state_machine.this["this"].definition, "")
}

output "policies" {
  description = "Each role's policy as JSON, for tests and reviews."
  value       = { for key, policy in aws_iam_role_policy.this : key => policy.policy }
}
