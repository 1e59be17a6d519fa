output "topic_arn" {
  description = "ARN of the alarms' topic."
  value       = aws_sns_topic.this.arn
}

output "alarm_names" {
  description = "Names of the alarms that this module declares."
  value = sort(concat(
    values(aws_cloudwatch_metric_alarm.count)[*].alarm_name,
    [aws_cloudwatch_metric_alarm.review_share.alarm_name],
    values(aws_cloudwatch_metric_alarm.daily)[*].alarm_name,
    values(aws_cloudwatch_metric_alarm.report_missing)[*].alarm_name,
  ))
}

output "dashboard_body" {
  description = "The dashboard as JSON, for tests and reviews."
  value       = local.dashboard
}

output "daily_namespace" {
  description = "Namespace of the daily report's metrics."
  value       = local.daily_namespace
}

output "drift_alarm_names" {
  description = "Names of the alarms on changed images or answers."
  value = concat(
    [aws_cloudwatch_metric_alarm.review_share.alarm_name],
    [for key, alarm in aws_cloudwatch_metric_alarm.daily : alarm.alarm_name if key == "drift"],
  )
}
