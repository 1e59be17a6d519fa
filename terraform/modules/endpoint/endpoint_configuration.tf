# What an endpoint runs: its variants on instances or serverless, asynchronous inference, a shadow or a
# challenger, and data capture.

locals {
  # Only a real-time endpoint captures: an asynchronous one keeps requests in S3 anyway, and a
  # serverless one cannot.
  capture = var.mode == "realtime" ? { percent = var.capture_percent, uri = var.capture_uri } : null

  # Types with local NVMe storage encrypt it by themselves and refuse a key.
  nvme = "^ml\\.([a-z]+[0-9]+[a-z]*d[a-z]*|g5|g6e?|p5e?n?|p6[a-z0-9-]*|trn[0-9]+n?)\\."

  # An update starts with autoscaling.min instances, and target tracking scales from there.
  instance_counts = {
    for id, release in var.releases :
    id => var.autoscaling == null ? release.instance_count : max(1, var.autoscaling.min)
  }

  shadowed   = var.shadow_release != null && var.active_release != null
  challenged = var.challenger != null && var.active_release != null

  # SageMaker accepts only one of the two.
  second = local.shadowed ? var.shadow_release : local.challenged ? var.challenger.release : null

  # With a shadow or a challenger the active release gets a second configuration. Its own stays, so
  # the end of the comparison and a rollback find it.
  pairs = merge(
    { for id in keys(var.releases) : id => { release = id, second = null } },
    local.second == null ? {} : { "${var.active_release}+${local.second}" = { release = var.active_release, second = local.second } },
  )

  active_pair = local.second == null ? var.active_release : "${var.active_release}+${local.second}"

  # A challenger does not scale: SageMaker does not remove a variant that is registered with
  # Application Auto Scaling, and Terraform cannot deregister it first. So it is sized for its share
  # of autoscaling.max.
  challenger_count = !local.challenged ? null : var.autoscaling == null ? var.releases[var.challenger.release].instance_count : max(
    local.instance_counts[var.challenger.release], ceil(var.challenger.share * var.autoscaling.max)
  )

  configurations = {
    for key, pair in local.pairs : key => merge({
      model_name     = local.model_names[pair.release]
      instance_type  = local.has_instances ? var.releases[pair.release].instance_type : null
      instance_count = local.has_instances ? local.instance_counts[pair.release] : null
      serverless     = local.has_instances ? null : var.serverless
      async          = var.mode == "async" ? var.async : null
      capture        = local.capture
      capture_key    = var.kms_key_arn
      kms_key_arn = local.has_instances && alltrue([
        for id in compact([pair.release, pair.second]) : !can(regex(local.nvme, var.releases[id].instance_type))
      ]) ? var.kms_key_arn : null
      # SageMaker updates an endpoint only to a new configuration: also where nothing but the settings of
      # the update is different.
      rollout = !local.has_instances ? null : {
        settings       = var.rollout
        by_confidence  = var.review_rollback != null
        ignored_alarms = key == local.active_pair ? var.ignored_alarms : []
      }
      shadow = pair.second == null || !local.shadowed ? null : {
        model_name     = local.model_names[pair.second]
        instance_type  = var.releases[pair.second].instance_type
        instance_count = local.instance_counts[pair.second]
      }
      # Merged, so that a configuration without a challenger has no further key to hash into its name.
      }, pair.second == null || !local.challenged ? {} : {
      challenger = {
        model_name     = local.model_names[pair.second]
        instance_type  = var.releases[pair.second].instance_type
        instance_count = local.challenger_count
        share          = var.challenger.share
        variant        = var.challenger.variant
      }
    })
  }

  configuration_names = {
    for key, configuration in local.configurations :
    key => "${var.name}-${local.pairs[key].release}-${substr(sha256(jsonencode(configuration)), 0, 8)}"
  }

  # By its content, so that taking back a failed update finds the configuration that it left. By the
  # release, Terraform would create that configuration again, under a name that is taken. Without the
  # key's ARN, which the plan of a new environment does not know.
  configuration_keys = {
    for key, configuration in local.configurations :
    key => "${key}/${substr(sha256(jsonencode(merge(configuration, { capture_key = null, kms_key_arn = null }))), 0, 8)}"
  }
}

resource "aws_sagemaker_endpoint_configuration" "this" {
  #checkov:skip=CKV_AWS_98:encrypted but for types whose local storage encrypts itself, and serverless, which has none

  for_each = { for key, configuration in local.configurations : local.configuration_keys[key] => merge(configuration, { key = key }) }

  name        = local.configuration_names[each.value.key]
  kms_key_arn = each.value.kms_key_arn

  production_variants {
    variant_name           = var.variant
    model_name             = aws_sagemaker_model.this[local.pairs[each.value.key].release].name
    instance_type          = each.value.instance_type
    initial_instance_count = each.value.instance_count
    initial_variant_weight = 1 - try(each.value.challenger.share, 0)

    dynamic "serverless_config" {
      for_each = each.value.serverless == null ? [] : [each.value.serverless]

      content {
        memory_size_in_mb       = serverless_config.value.memory_mb
        max_concurrency         = serverless_config.value.max_concurrency
        provisioned_concurrency = serverless_config.value.provisioned_concurrency
      }
    }
  }

  # A request goes to one of the two by their weights, which add up to 1.
  dynamic "production_variants" {
    for_each = [for challenger in [try(each.value.challenger, null)] : challenger if challenger != null]

    content {
      variant_name           = production_variants.value.variant
      model_name             = aws_sagemaker_model.this[local.pairs[each.value.key].second].name
      instance_type          = production_variants.value.instance_type
      initial_instance_count = production_variants.value.instance_count
      initial_variant_weight = production_variants.value.share
    }
  }

  # The same weight as the variant's: it gets every request.
  dynamic "shadow_production_variants" {
    for_each = each.value.shadow == null ? [] : [each.value.shadow]

    content {
      variant_name           = var.shadow_variant
      model_name             = aws_sagemaker_model.this[local.pairs[each.value.key].second].name
      instance_type          = shadow_production_variants.value.instance_type
      initial_instance_count = shadow_production_variants.value.instance_count
      initial_variant_weight = 1
    }
  }

  dynamic "async_inference_config" {
    for_each = each.value.async == null ? [] : [each.value.async]

    content {
      client_config {
        max_concurrent_invocations_per_instance = async_inference_config.value.concurrency
      }

      output_config {
        s3_output_path  = "${async_inference_config.value.uri}/answers"
        s3_failure_path = "${async_inference_config.value.uri}/failures"
        kms_key_id      = each.value.capture_key
      }
    }
  }

  dynamic "data_capture_config" {
    for_each = each.value.capture == null ? [] : [each.value.capture]

    content {
      enable_capture              = data_capture_config.value.percent > 0
      initial_sampling_percentage = data_capture_config.value.percent
      destination_s3_uri          = data_capture_config.value.uri
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
  }

  # Without it, a configuration would be deleted while the endpoint still uses it.
  lifecycle {
    create_before_destroy = true
  }
}
