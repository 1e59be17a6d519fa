locals {
  capture = {
    percent = var.capture_percent
    uri     = var.capture_uri
  }

  # Types with local NVMe storage encrypt it by themselves and refuse a key.
  nvme = "^ml\\.([a-z]+[0-9]+[a-z]*d[a-z]*|g5|g6e?|p5e?n?|p6[a-z0-9-]*|trn[0-9]+n?)\\."

  # Models and configurations cannot be changed, only replaced. So everything that would
  # replace one stands here, once: resources and the hash in their names are made from it.
  models = {
    for id, release in var.releases : id => {
      image          = release.image
      model_data_url = release.model_data_url
      model_sha256   = release.model_sha256
      environment    = release.environment
      role_arn       = var.role_arn
    }
  }

  model_names = {
    for id, model in local.models : id => "${var.name}-${id}-${substr(sha256(jsonencode(model)), 0, 8)}"
  }

  configurations = {
    for id, release in var.releases : id => {
      model_name     = local.model_names[id]
      instance_type  = release.instance_type
      instance_count = release.instance_count
      capture        = local.capture
      kms_key_arn    = can(regex(local.nvme, release.instance_type)) ? null : var.kms_key_arn
      capture_key    = var.kms_key_arn
    }
  }

  configuration_names = {
    for id, configuration in local.configurations :
    id => "${var.name}-${id}-${substr(sha256(jsonencode(configuration)), 0, 8)}"
  }
}

resource "aws_sagemaker_model" "this" {
  for_each = local.models

  name                     = local.model_names[each.key]
  execution_role_arn       = each.value.role_arn
  enable_network_isolation = true

  primary_container {
    image          = each.value.image
    model_data_url = each.value.model_data_url
    environment    = each.value.environment
  }

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = startswith(each.value.model_data_url, var.artifacts_prefix)
      error_message = "Release ${each.key} takes its model from ${each.value.model_data_url}, but the endpoint's role reads below ${var.artifacts_prefix} alone: copy the artifact there and register the release anew."
    }
  }
}

resource "aws_sagemaker_endpoint_configuration" "this" {
  for_each = local.configurations

  name        = local.configuration_names[each.key]
  kms_key_arn = each.value.kms_key_arn

  production_variants {
    variant_name           = var.variant
    model_name             = aws_sagemaker_model.this[each.key].name
    instance_type          = each.value.instance_type
    initial_instance_count = each.value.instance_count
    initial_variant_weight = 1
  }

  data_capture_config {
    enable_capture              = each.value.capture.percent > 0
    initial_sampling_percentage = each.value.capture.percent
    destination_s3_uri          = each.value.capture.uri
    kms_key_id                  = each.value.capture_key

    capture_options {
      capture_mode = "Input"
    }

    capture_options {
      capture_mode = "Output"
    }

    # Images are none of these, so they are captured as Base64.
    capture_content_type_header {
      csv_content_types  = ["text/csv"]
      json_content_types = ["application/json"]
    }
  }

  # Without it a configuration is deleted while the endpoint still runs on it.
  lifecycle {
    create_before_destroy = true
  }
}

locals {
  # The key is constant: an endpoint keeps its name and is updated, never replaced.
  endpoints = toset(var.active_release == null ? [] : ["live"])

  # One machine has no half that could be a canary.
  routing = try(var.releases[var.active_release].instance_count, 1) >= 2 ? "CANARY" : "ALL_AT_ONCE"
}

resource "aws_sagemaker_endpoint" "this" {
  for_each = local.endpoints

  name                 = var.name
  endpoint_config_name = aws_sagemaker_endpoint_configuration.this[var.active_release].name

  deployment_config {
    blue_green_update_policy {
      termination_wait_in_seconds          = var.rollout.termination_seconds
      maximum_execution_timeout_in_seconds = max(1800, 2 * (var.rollout.bake_seconds + var.rollout.termination_seconds))

      traffic_routing_configuration {
        type                     = local.routing
        wait_interval_in_seconds = var.rollout.bake_seconds

        dynamic "canary_size" {
          for_each = local.routing == "CANARY" ? [var.rollout.canary_percent] : []

          content {
            type  = "CAPACITY_PERCENT"
            value = canary_size.value
          }
        }
      }
    }

    # Always declared: to add or remove this block would replace the endpoint.
    auto_rollback_configuration {
      dynamic "alarms" {
        for_each = aws_cloudwatch_metric_alarm.guard

        content {
          alarm_name = alarms.value.alarm_name
        }
      }
    }
  }

  # The containers' log group must be there first, or SageMaker would need leave to create it.
  depends_on = [aws_cloudwatch_log_group.this]

  lifecycle {
    postcondition {
      condition     = self.endpoint_config_name == aws_sagemaker_endpoint_configuration.this[var.active_release].name
      error_message = "SageMaker rolled the endpoint back to ${self.endpoint_config_name}. Every release was kept: look at the guard alarms and the log group ${var.log_group}, then set active_release to the release that serves, or to a mended one."
    }
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = var.log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}
