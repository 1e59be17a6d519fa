locals {
  # The key is constant: an endpoint keeps its name and is updated, never replaced.
  endpoints = toset(var.active_release == null ? [] : ["live"])

  # A canary is a part of each variant.
  smallest_count = min(concat([try(local.instance_counts[var.active_release], 1)], local.challenged ? [local.challenger_count] : [])...)

  # A single instance cannot be split into canary and rest.
  routing = upper(var.rollout.strategy == "auto" ? (local.smallest_count >= 2 ? "canary" : "all_at_once") : var.rollout.strategy)

  # SageMaker has no guardrails for a serverless endpoint. The morning's schedule creates the
  # endpoint with the same values, so they are stated once.
  deployment = !local.has_instances ? null : {
    routing             = local.routing
    bake_seconds        = var.rollout.bake_seconds
    canary_percent      = local.routing == "CANARY" ? var.rollout.canary_percent : null
    termination_seconds = var.rollout.termination_seconds
    timeout_seconds     = max(1800, 2 * (var.rollout.bake_seconds + var.rollout.termination_seconds))
    alarms              = local.rollback_alarm_names
  }
}

resource "aws_sagemaker_endpoint" "this" {
  for_each = local.endpoints

  name                 = var.name
  endpoint_config_name = aws_sagemaker_endpoint_configuration.this[local.configuration_keys[local.active_pair]].name

  dynamic "deployment_config" {
    for_each = local.deployment == null ? [] : [local.deployment]

    content {
      blue_green_update_policy {
        termination_wait_in_seconds          = deployment_config.value.termination_seconds
        maximum_execution_timeout_in_seconds = deployment_config.value.timeout_seconds

        traffic_routing_configuration {
          type                     = deployment_config.value.routing
          wait_interval_in_seconds = deployment_config.value.bake_seconds

          dynamic "canary_size" {
            for_each = deployment_config.value.canary_percent == null ? [] : [deployment_config.value.canary_percent]

            content {
              type  = "CAPACITY_PERCENT"
              value = canary_size.value
            }
          }
        }
      }

      # Always declared, with one alarm at least: adding or removing this block would replace the
      # endpoint, and without alarms SageMaker may not return it.
      auto_rollback_configuration {
        dynamic "alarms" {
          for_each = setsubtract(deployment_config.value.alarms, var.ignored_alarms)

          content {
            alarm_name = alarms.value
          }
        }
      }
    }
  }

  # The containers' log group must exist first, or SageMaker would need permission to create it.
  depends_on = [aws_cloudwatch_log_group.this]

  lifecycle {
    precondition {
      condition     = local.deployment == null || length(setsubtract(local.rollback_alarm_names, var.ignored_alarms)) > 0
      error_message = "At least one rollback alarm must be left: without any, the next update would replace the endpoint. If all of them are raised: inv pause, then inv apply."
    }

    postcondition {
      condition     = self.endpoint_config_name == aws_sagemaker_endpoint_configuration.this[local.configuration_keys[local.active_pair]].name
      error_message = "SageMaker rolled the endpoint back to ${self.endpoint_config_name}. Every release was kept: look at the rollback alarms and the log group ${var.log_group}, then set active_release to the release that serves, or to a corrected one."
    }
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = var.log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}
