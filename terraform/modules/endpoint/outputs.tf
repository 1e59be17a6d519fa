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

output "model_arns" {
  description = "Model ARNs by release."
  value       = { for id, model in aws_sagemaker_model.this : id => model.arn }
}

output "configuration_names" {
  description = "Endpoint configuration names by release; with a shadow by `<release>+<shadow>` as well."
  value       = { for key, configuration in aws_sagemaker_endpoint_configuration.this : key => configuration.name }
}

output "configuration_arns" {
  description = "Endpoint configuration ARNs, by the same keys."
  value       = { for key, configuration in aws_sagemaker_endpoint_configuration.this : key => configuration.arn }
}

output "active_configuration_name" {
  description = "Configuration that the endpoint serves; empty without an active release."
  value       = try(aws_sagemaker_endpoint.this["live"].endpoint_config_name, "")
}

output "shadow_variant" {
  description = "Name of the variant that is compared; empty without a shadow."
  value       = local.shadowed ? var.shadow_variant : ""
}

output "traffic_routing" {
  description = "How a new release takes the traffic over: ALL_AT_ONCE or CANARY."
  value       = local.routing
}

output "guard_alarm_names" {
  description = "Names of the alarms that take a rollout back, by what they watch."
  value       = { for key, alarm in aws_cloudwatch_metric_alarm.guard : key => alarm.alarm_name }
}

output "guard_alarm_arns" {
  description = "ARNs of the alarms that take a rollout back, by what they watch."
  value       = { for key, alarm in aws_cloudwatch_metric_alarm.guard : key => alarm.arn }
}

output "alarm_names" {
  description = "Names of the alarms that take nothing back: no traffic, a schedule that failed, a backlog."
  value = sort([
    for alarm in concat(values(aws_cloudwatch_metric_alarm.idle), values(aws_cloudwatch_metric_alarm.night), values(aws_cloudwatch_metric_alarm.wake)) :
    alarm.alarm_name
  ])
}

output "alarm_arns" {
  description = "ARNs of the alarms that take nothing back."
  value = sort([
    for alarm in concat(values(aws_cloudwatch_metric_alarm.idle), values(aws_cloudwatch_metric_alarm.night), values(aws_cloudwatch_metric_alarm.wake)) :
    alarm.arn
  ])
}

output "scalable_target_arn" {
  description = "ARN of the variant as Application Auto Scaling knows it; empty without autoscaling."
  value       = try(aws_appautoscaling_target.this["live"].arn, "")
}

output "scaling_policy_arns" {
  description = "ARNs of the scaling policies, by what they do: load, wake."
  value = merge(
    { for policy in values(aws_appautoscaling_policy.load) : "load" => policy.arn },
    { for policy in values(aws_appautoscaling_policy.wake) : "wake" => policy.arn },
  )
}

output "scheduled_action_arns" {
  description = "ARNs of the actions that scale in when office hours end (to) and out when they begin (from); empty without them."
  value       = { for edge, action in aws_appautoscaling_scheduled_action.office_hours : edge => action.arn }
}

output "schedule_names" {
  description = "Names of the schedules that delete (to) and create (from) the endpoint; empty without them."
  value       = { for edge, schedule in aws_scheduler_schedule.this : edge => schedule.name }
}

output "schedule_arns" {
  description = "ARNs of these schedules."
  value       = { for edge, schedule in aws_scheduler_schedule.this : edge => schedule.arn }
}

output "schedule_group_name" {
  description = "Name of the schedules' group; empty without them."
  value       = try(aws_scheduler_schedule_group.this["live"].name, "")
}

output "schedule_group_arn" {
  description = "ARN of the schedules' group; empty without them."
  value       = try(aws_scheduler_schedule_group.this["live"].arn, "")
}

output "schedule_queue_url" {
  description = "Queue of what the schedules could not do; empty without them."
  value       = try(aws_sqs_queue.night["live"].url, "")
}

output "schedule_queue_arn" {
  description = "ARN of that queue; empty without schedules."
  value       = try(aws_sqs_queue.night["live"].arn, "")
}

output "log_group_name" {
  description = "Name of the containers' log group."
  value       = aws_cloudwatch_log_group.this.name
}

output "log_group_arn" {
  description = "ARN of the containers' log group."
  value       = aws_cloudwatch_log_group.this.arn
}
