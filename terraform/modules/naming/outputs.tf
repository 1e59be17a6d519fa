output "prefix" {
  description = "`<project>-<environment>`, the start of every name."
  value       = local.prefix
}

output "metric_namespace" {
  description = "CloudWatch namespace of the functions' own metrics."
  value       = "${var.project}/${var.environment}"
}

output "alias" {
  description = "Name of the alias through which functions and state machine are called."
  value       = "live"
}

output "variant" {
  description = "Name of the variant that serves the active release; SageMaker's traffic shifting needs it constant."
  value       = "AllTraffic"
}

output "challenger_prefix" {
  description = "Prefix of the name of a challenger's variant; its release id follows."
  value       = "Challenger-"
}

output "names" {
  description = "Names by kind; buckets and queues by purpose, endpoints by mode, functions, roles and log groups by key."
  value = {
    buckets       = local.buckets
    functions     = local.function_names
    roles         = local.role_names
    log_groups    = local.log_groups
    state_machine = local.state_machine
    endpoints     = local.endpoints
    repository    = local.repository
    model_group   = local.model_group
    key_alias     = "alias/${local.prefix}"
    topic         = "${local.prefix}-alarms"
    dashboard     = local.prefix
    budget        = local.prefix
    off_hours     = "${local.prefix}-off-hours"
    queues        = local.queues
    rules         = local.rules
    assignments   = "${local.prefix}-assignments"
    event_bus     = local.prefix
  }
}

output "arns" {
  description = "ARNs by kind, computed from the names, so a plan shows complete policies."
  value       = local.arns
}
