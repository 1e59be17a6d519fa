locals {
  placeholders = {
    serialize_function_arn = var.function_arns.serialize_image
    classify_function_arn  = var.function_arns.classify_image
    filter_function_arn    = var.function_arns.filter_inferences
    batch_function_arn     = var.function_arns.classify_batch
    record_function_arn    = var.function_arns.record_results
    metric_namespace       = var.metric_namespace
    data_bucket            = var.data_bucket
  }

  # The files stay valid JSON, so that linters, editors and tests read them as they are; bad JSON
  # fails at plan.
  template        = jsondecode(templatefile(var.definition_path, local.placeholders))
  distributed_map = jsondecode(templatefile(var.map_path, local.placeholders))

  # A placeholder for a number would make the file invalid JSON, so numbers are set after decoding.
  # A Map without an ItemProcessor gets that of the Distributed Map, with a renamed state: a state's
  # name is unique in the whole state machine.
  inline_maps = {
    for name, state in local.template.States :
    name => merge(state, { MaxConcurrency = min(40, var.max_concurrency) }) if state.Type == "Map" && can(state.ItemProcessor)
  }
  distributed_maps = {
    for name, state in local.template.States :
    name => merge(local.distributed_map, state, {
      MaxConcurrency = max(1, floor(var.max_concurrency / var.batch_concurrency))
      ItemBatcher    = merge(local.distributed_map.ItemBatcher, { MaxItemsPerBatch = var.batch_images })
      ItemProcessor = merge(local.distributed_map.ItemProcessor, {
        StartAt = "${name}Batch"
        States  = { "${name}Batch" = local.distributed_map.ItemProcessor.States.ClassifyBatch }
      })
    }) if state.Type == "Map" && !can(state.ItemProcessor)
  }
  definition = jsonencode(merge(local.template, {
    States = merge(local.template.States, local.inline_maps, local.distributed_maps)
  }))
}

resource "aws_cloudwatch_log_group" "this" {
  name              = var.log_group
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_sfn_state_machine" "this" {
  name       = var.name
  type       = "STANDARD"
  role_arn   = var.role_arn
  definition = local.definition
  publish    = true

  # States carry references to images and numbers, never image bytes.
  logging_configuration {
    level                  = "ERROR"
    include_execution_data = true
    log_destination        = "${aws_cloudwatch_log_group.this.arn}:*"
  }

  tracing_configuration {
    enabled = true
  }
}

resource "aws_sfn_alias" "this" {
  name        = var.alias
  description = "The version that schedules and other callers start"

  routing_configuration {
    state_machine_version_arn = aws_sfn_state_machine.this.state_machine_version_arn
    weight                    = 100
  }
}
