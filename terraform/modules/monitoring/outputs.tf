output "topic_arn" {
  description = "ARN of the alarms' topic."
  value       = aws_sns_topic.this.arn
}

output "alarm_names" {
  description = "Names of the alarms that this module declares."
  value = sort(concat(
    values(aws_cloudwatch_metric_alarm.count)[*].alarm_name,
    [aws_cloudwatch_metric_alarm.review_share.alarm_name],
  ))
}

output "alarm_arns" {
  description = "ARNs of these alarms."
  value = sort(concat(
    values(aws_cloudwatch_metric_alarm.count)[*].arn,
    [aws_cloudwatch_metric_alarm.review_share.arn],
  ))
}

output "budget_name" {
  description = "Name of the budget; empty without one."
  value       = try(aws_budgets_budget.this["this"].name, "")
}

output "budget_arn" {
  description = "ARN of the budget; empty without one."
  value       = try(aws_budgets_budget.this["this"].arn, "")
}

output "dashboard_arn" {
  description = "ARN of the dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_arn
}

output "dashboard_name" {
  description = "Name of the dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}

output "dashboard_body" {
  description = "The dashboard as JSON, for tests and reviews."
  value       = local.dashboard
}
