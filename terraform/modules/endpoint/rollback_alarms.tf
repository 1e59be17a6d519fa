locals {
  rollback_alarms = {
    "5xx" = {
      description = "The container answers with faults"
      metric      = "Invocation5XXErrors"
      threshold   = 1
      statistic   = "Sum"
      percentile  = null
    }
    latency = {
      description = "The model takes too long"
      metric      = "ModelLatency"
      # SageMaker measures in microseconds.
      threshold  = var.latency_alarm_ms * 1000
      statistic  = null
      percentile = "p90"
    }
  }

  dimensions = {
    EndpointName = var.name
    VariantName  = var.variant
  }

  # SageMaker measures each variant by itself.
  variant_alarms = merge(
    { for key, alarm in local.rollback_alarms : key => merge(alarm, { variant = var.variant }) },
    local.challenged ? { for key, alarm in local.rollback_alarms : "challenger-${key}" => merge(alarm, { variant = var.challenger.variant }) } : {},
  )
}

# They are in this module because the endpoint's rollouts depend on them.
resource "aws_cloudwatch_metric_alarm" "rollback" {
  for_each = local.variant_alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.description}; rolls a running rollout of ${var.name} back."
  namespace           = "AWS/SageMaker"
  metric_name         = each.value.metric
  dimensions          = merge(local.dimensions, { VariantName = each.value.variant })
  statistic           = each.value.statistic
  extended_statistic  = each.value.percentile
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = each.value.threshold
  period              = 60
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}

# The functions count verdicts of all variants together, so the share is the whole endpoint's. A
# few images say nothing about a share.
resource "aws_cloudwatch_metric_alarm" "low_confidence" {
  for_each = toset(var.review_rollback == null ? [] : ["this"])

  alarm_name          = "${var.name}-low-confidence"
  alarm_description   = "Too many verdicts go to review; rolls a running rollout of ${var.name} back."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.review_rollback.percent
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns

  metric_query {
    id          = "share"
    expression  = "IF(FILL(accepted, 0) + FILL(review, 0) >= ${var.review_rollback.min_images}, 100 * FILL(review, 0) / (FILL(accepted, 0) + FILL(review, 0)), 0)"
    label       = "Sent to review, percent"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = toset(["Accepted", "Review"])

    content {
      id = lower(metric_query.value)

      metric {
        namespace   = var.review_rollback.namespace
        metric_name = metric_query.value
        stat        = "Sum"
        period      = 60
      }
    }
  }
}

locals {
  rollback_alarm_names = sort(concat(
    values(aws_cloudwatch_metric_alarm.rollback)[*].alarm_name,
    values(aws_cloudwatch_metric_alarm.low_confidence)[*].alarm_name,
  ))
}

# An idle endpoint costs as much as a busy one. It is raised from creation until the first request,
# before which SageMaker sends no metric.
resource "aws_cloudwatch_metric_alarm" "idle" {
  for_each = local.has_instances ? local.endpoints : []

  alarm_name          = "${var.name}-no-traffic"
  alarm_description   = "${var.name} had no request for a day and is billed by the hour: remove it, or set office_hours."
  namespace           = "AWS/SageMaker"
  metric_name         = "Invocations"
  dimensions          = local.dimensions
  statistic           = "Sum"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  period              = 86400
  evaluation_periods  = 1
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_topic_arns
}
