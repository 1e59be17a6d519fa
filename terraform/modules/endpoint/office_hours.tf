# A real-time endpoint cannot scale to zero, so it is deleted outside office hours and created
# again in the morning as Terraform made it: same name, configuration, rollout and tags.
# Models and configurations stay.

locals {
  deleted_off_hours = var.office_hours != null && try(var.office_hours.action, "") == "delete" ? local.endpoints : toset([])

  # From the endpoint itself: a release that was rolled back must not return each morning.
  create_endpoint = [
    for key in local.deleted_off_hours : {
      EndpointName       = var.name
      EndpointConfigName = aws_sagemaker_endpoint.this[key].endpoint_config_name
      Tags               = [for name, value in var.tags : { Key = name, Value = value }]
      DeploymentConfig = {
        BlueGreenUpdatePolicy = {
          TerminationWaitInSeconds         = local.deployment.termination_seconds
          MaximumExecutionTimeoutInSeconds = local.deployment.timeout_seconds
          TrafficRoutingConfiguration = merge(
            { Type = local.deployment.routing, WaitIntervalInSeconds = local.deployment.bake_seconds },
            local.deployment.canary_percent == null ? {} : { CanarySize = { Type = "CAPACITY_PERCENT", Value = local.deployment.canary_percent } },
          )
        }
        AutoRollbackConfiguration = { Alarms = [for name in local.deployment.alarms : { AlarmName = name }] }
      }
    }
  ]

  edges = length(local.deleted_off_hours) == 0 ? {} : {
    to   = { action = "deleteEndpoint", input = jsonencode({ EndpointName = var.name }) }
    from = { action = "createEndpoint", input = jsonencode(one(local.create_endpoint)) }
  }
}

resource "aws_scheduler_schedule_group" "this" {
  for_each = local.deleted_off_hours

  name = var.off_hours.name
}

resource "aws_scheduler_schedule" "this" {
  for_each = local.edges

  name                         = "${var.name}-${each.key == "from" ? "up" : "down"}"
  description                  = "${each.key == "from" ? "Creates" : "Deletes"} ${var.name} ${each.key == "from" ? "when office hours begin" : "when they end"}"
  group_name                   = aws_scheduler_schedule_group.this["live"].name
  schedule_expression          = local.crons[each.key]
  schedule_expression_timezone = var.office_hours.timezone
  kms_key_arn                  = var.kms_key_arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = "arn:${var.off_hours.partition}:scheduler:::aws-sdk:sagemaker:${each.value.action}"
    role_arn = var.off_hours.role_arn
    input    = each.value.input

    dead_letter_config {
      arn = aws_sqs_queue.off_hours["live"].arn
    }

    # An instance type may be unavailable for a while in the morning.
    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 10
    }
  }
}

# Calls of a schedule that failed, each with its reason.
resource "aws_sqs_queue" "off_hours" {
  for_each = local.deleted_off_hours

  name                      = var.off_hours.name
  kms_master_key_id         = var.kms_key_arn
  message_retention_seconds = 1209600
}

resource "aws_cloudwatch_metric_alarm" "off_hours" {
  for_each = aws_sqs_queue.off_hours

  alarm_name          = "${var.name}-office-hours"
  alarm_description   = "${var.name} could not be deleted or created by its schedule: the message in the queue ${each.value.name} says why."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = each.value.name }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
}
