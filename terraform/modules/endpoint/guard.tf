locals {
  guards = {
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
}

# They stand beside the endpoint because its rollouts depend on them.
resource "aws_cloudwatch_metric_alarm" "guard" {
  for_each = merge(local.guards, var.review_guard == null ? {} : { low-confidence = null })

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value == null ? "Too many verdicts go to review" : each.value.description}; takes a running rollout of ${var.name} back."
  comparison_operator = "GreaterThanOrEqualToThreshold"
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns

  threshold          = each.value == null ? var.review_guard.percent : each.value.threshold
  namespace          = each.value == null ? null : "AWS/SageMaker"
  metric_name        = each.value == null ? null : each.value.metric
  statistic          = each.value == null ? null : each.value.statistic
  extended_statistic = each.value == null ? null : each.value.percentile
  period             = each.value == null ? null : 60
  dimensions         = each.value == null ? null : local.dimensions

  # The functions count verdicts of all variants together, so the share is the whole
  # endpoint's. A few images say nothing about a share.
  dynamic "metric_query" {
    for_each = each.value == null ? ["share"] : []

    content {
      id          = metric_query.value
      expression  = "IF(FILL(accepted, 0) + FILL(review, 0) >= ${var.review_guard.min_images}, 100 * FILL(review, 0) / (FILL(accepted, 0) + FILL(review, 0)), 0)"
      label       = "Sent to review, percent"
      return_data = true
    }
  }

  dynamic "metric_query" {
    for_each = toset(each.value == null ? ["Accepted", "Review"] : [])

    content {
      id = lower(metric_query.value)

      metric {
        namespace   = var.review_guard.namespace
        metric_name = metric_query.value
        stat        = "Sum"
        period      = 60
      }
    }
  }
}

# An endpoint that nobody asks costs as much as one that works. Raised from its creation on until
# the first request: without one, SageMaker sends no number at all.
resource "aws_cloudwatch_metric_alarm" "idle" {
  for_each = local.has_instances ? local.endpoints : []

  alarm_name          = "${var.name}-no-traffic"
  alarm_description   = "Nobody asked ${var.name} for a day, and it is paid for by the hour: remove it, or give it office_hours."
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
