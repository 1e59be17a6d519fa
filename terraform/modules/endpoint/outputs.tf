output "name" {
  description = "Name of the endpoint; empty without an active release."
  value       = try(aws_sagemaker_endpoint.this["live"].name, "")
}

output "arn" {
  description = "ARN of the endpoint; empty without an active release."
  value       = try(aws_sagemaker_endpoint.this["live"].arn, "")
}

output "model_names" {
  description = "Model names by release."
  value       = { for id, model in aws_sagemaker_model.this : id => model.name }
}

output "configuration_names" {
  description = "Endpoint configuration names by release."
  value       = { for id, configuration in aws_sagemaker_endpoint_configuration.this : id => configuration.name }
}

output "active_configuration_name" {
  description = "Configuration that the endpoint serves; empty without an active release."
  value       = try(aws_sagemaker_endpoint.this["live"].endpoint_config_name, "")
}

output "traffic_routing" {
  description = "How a new release takes the traffic over: ALL_AT_ONCE or CANARY."
  value       = local.routing
}

output "guard_alarm_arns" {
  description = "ARNs of the alarms that take a rollout back, by what they watch."
  value       = { for key, alarm in aws_cloudwatch_metric_alarm.guard : key => alarm.arn }
}

output "log_group_name" {
  description = "Name of the containers' log group."
  value       = aws_cloudwatch_log_group.this.name
}
