output "name" {
  description = "Name of the endpoint; empty without an active release."
  value       = try(aws_sagemaker_endpoint.this["live"].name, "")
}

output "model_names" {
  description = "Model names by release."
  value       = { for id, model in aws_sagemaker_model.this : id => model.name }
}

output "configuration_names" {
  description = "Endpoint configuration names by release; with a shadow or a challenger by `<active>+<other>` as well."
  value       = { for key, content in local.configuration_keys : key => aws_sagemaker_endpoint_configuration.this[content].name }
}

output "active_configuration_name" {
  description = "Configuration that the endpoint serves; empty without an active release."
  value       = try(aws_sagemaker_endpoint.this["live"].endpoint_config_name, "")
}

output "shadow_variant" {
  description = "Name of the shadow release's variant; empty without one."
  value       = local.shadowed ? var.shadow_variant : ""
}

output "traffic_routing" {
  description = "How traffic shifts to a new release: ALL_AT_ONCE or CANARY."
  value       = local.routing
}

output "rollback_alarm_names" {
  description = "Names of the rollback alarms, sorted."
  value       = local.rollback_alarm_names
}
