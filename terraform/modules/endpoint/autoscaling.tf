locals {
  scaled = var.autoscaling == null ? toset([]) : local.endpoints

  scales_in  = var.office_hours != null && try(var.office_hours.action, "") == "scale-in"
  variant_id = "endpoint/${var.name}/variant/${var.variant}"

  # 07:30 on MON-FRI is cron(30 7 ? * MON-FRI *).
  crons = var.office_hours == null ? {} : {
    for edge in ["from", "to"] : edge => format(
      "cron(%d %d ? * %s *)",
      tonumber(split(":", var.office_hours[edge])[1]), tonumber(split(":", var.office_hours[edge])[0]), var.office_hours.days,
    )
  }
}

# Scheduled actions change the bounds, so Terraform ignores their drift. A changed declaration
# registers the variant again, with its policies.
resource "terraform_data" "bounds" {
  for_each = local.scaled

  input = [var.autoscaling, local.scales_in ? var.office_hours : null]
}

resource "aws_appautoscaling_target" "this" {
  for_each = local.scaled

  service_namespace  = "sagemaker"
  scalable_dimension = "sagemaker:variant:DesiredInstanceCount"
  resource_id        = local.variant_id
  min_capacity       = var.autoscaling.min
  max_capacity       = var.autoscaling.max

  depends_on = [aws_sagemaker_endpoint.this]

  lifecycle {
    ignore_changes       = [min_capacity, max_capacity]
    replace_triggered_by = [terraform_data.bounds]
  }
}

resource "aws_appautoscaling_policy" "load" {
  for_each = aws_appautoscaling_target.this

  name               = "${var.name}-load"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = each.value.service_namespace
  scalable_dimension = each.value.scalable_dimension
  resource_id        = each.value.resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = var.autoscaling.target
    scale_in_cooldown  = var.autoscaling.scale_in_cooldown_seconds
    scale_out_cooldown = var.autoscaling.scale_out_cooldown_seconds

    dynamic "predefined_metric_specification" {
      for_each = var.mode == "realtime" ? ["SageMakerVariantInvocationsPerInstance"] : []

      content {
        predefined_metric_type = predefined_metric_specification.value
      }
    }

    # The load of an asynchronous endpoint is its queue, not its answers.
    dynamic "customized_metric_specification" {
      for_each = var.mode == "async" ? ["ApproximateBacklogSizePerInstance"] : []

      content {
        namespace   = "AWS/SageMaker"
        metric_name = customized_metric_specification.value
        statistic   = "Average"

        dimensions {
          name  = "EndpointName"
          value = var.name
        }
      }
    }
  }

  lifecycle {
    replace_triggered_by = [terraform_data.bounds]
  }
}

resource "aws_appautoscaling_scheduled_action" "office_hours" {
  for_each = local.scales_in && length(aws_appautoscaling_target.this) > 0 ? local.crons : {}

  name               = "${var.name}-${each.key == "from" ? "morning" : "evening"}"
  service_namespace  = aws_appautoscaling_target.this["live"].service_namespace
  scalable_dimension = aws_appautoscaling_target.this["live"].scalable_dimension
  resource_id        = aws_appautoscaling_target.this["live"].resource_id
  schedule           = each.value
  timezone           = var.office_hours.timezone

  scalable_target_action {
    min_capacity = each.key == "from" ? var.autoscaling.min : min(var.autoscaling.min, var.autoscaling.off_hours_min)
    max_capacity = each.key == "from" ? var.autoscaling.max : max(1, var.autoscaling.off_hours_min)
  }

  lifecycle {
    replace_triggered_by = [terraform_data.bounds]
  }
}

# Target tracking divides by the number of instances, so it cannot scale out from zero. This does.
resource "aws_appautoscaling_policy" "wake" {
  for_each = var.mode == "async" && try(var.autoscaling.min, 1) == 0 ? aws_appautoscaling_target.this : {}

  name               = "${var.name}-wake"
  policy_type        = "StepScaling"
  service_namespace  = each.value.service_namespace
  scalable_dimension = each.value.scalable_dimension
  resource_id        = each.value.resource_id

  step_scaling_policy_configuration {
    adjustment_type         = "ChangeInCapacity"
    metric_aggregation_type = "Average"
    cooldown                = var.autoscaling.scale_out_cooldown_seconds

    step_adjustment {
      metric_interval_lower_bound = 0
      scaling_adjustment          = 1
    }
  }

  lifecycle {
    replace_triggered_by = [terraform_data.bounds]
  }
}

resource "aws_cloudwatch_metric_alarm" "wake" {
  for_each = aws_appautoscaling_policy.wake

  alarm_name          = "${var.name}-backlog-without-capacity"
  alarm_description   = "Requests wait and ${var.name} has no instance: one is started."
  namespace           = "AWS/SageMaker"
  metric_name         = "HasBacklogWithoutCapacity"
  dimensions          = { EndpointName = var.name }
  statistic           = "Average"
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  period              = 60
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [each.value.arn]
}
