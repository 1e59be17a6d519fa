locals {
  workflow_alarms = {
    for key, metric in {
      failed    = "ExecutionsFailed"
      timed-out = "ExecutionsTimedOut"
      throttled = "ExecutionThrottled"
      } : "workflow-${key}" => {
      description = "Executions of the workflow are ${replace(key, "-", " ")}"
      namespace   = "AWS/States"
      metric      = metric
      dimensions  = { StateMachineArn = var.state_machine_arn }
    }
  }

  function_alarms = merge([
    for key, name in var.function_names : {
      for metric in ["Errors", "Throttles"] :
      "${replace(key, "_", "-")}-${lower(metric)}" => {
        description = "Function ${name} reports ${lower(metric)}"
        namespace   = "AWS/Lambda"
        metric      = metric
        dimensions  = { FunctionName = name }
      }
    }
  ]...)

  # The workflow counts these itself: a failed image fails no execution.
  image_alarms = {
    images-failed = {
      description = "Images end as failed: their results, and the functions' logs, say why"
      namespace   = var.metric_namespace
      metric      = "Failed"
      dimensions  = {}
    }
  }

  count_alarms = merge(local.workflow_alarms, local.function_alarms, local.image_alarms)
}

# Each is raised by a single count within five minutes.
resource "aws_cloudwatch_metric_alarm" "count" {
  for_each = local.count_alarms

  alarm_name          = "${var.names.prefix}-${each.key}"
  alarm_description   = "${each.value.description}."
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = "Sum"
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]
}

# A few images say nothing about a share, so fewer than twenty in an hour raise no alarm.
resource "aws_cloudwatch_metric_alarm" "review_share" {
  alarm_name          = "${var.names.prefix}-low-confidence"
  alarm_description   = "More images than usual are sent to review: check the captured images for drift."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.review_alarm_percent
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]

  metric_query {
    id          = "share"
    expression  = "IF(FILL(accepted, 0) + FILL(review, 0) >= 20, 100 * FILL(review, 0) / (FILL(accepted, 0) + FILL(review, 0)), 0)"
    label       = "Sent to review, percent"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = toset(["Accepted", "Review"])

    content {
      id = lower(metric_query.value)

      metric {
        namespace   = var.metric_namespace
        metric_name = metric_query.value
        stat        = "Sum"
        period      = 3600
      }
    }
  }
}
