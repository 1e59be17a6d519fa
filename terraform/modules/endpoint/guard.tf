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
}

# They stand beside the endpoint because its rollouts depend on them.
resource "aws_cloudwatch_metric_alarm" "guard" {
  for_each = local.guards

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.description}; takes a running rollout of ${var.name} back."
  namespace           = "AWS/SageMaker"
  metric_name         = each.value.metric
  statistic           = each.value.statistic
  extended_statistic  = each.value.percentile
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = each.value.threshold
  period              = 60
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns

  dimensions = {
    EndpointName = var.name
    VariantName  = var.variant
  }
}
