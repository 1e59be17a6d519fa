locals {
  # The file stays valid JSON, so that linters, editors and tests read it as it is; bad JSON
  # fails at plan.
  template = jsondecode(templatefile(var.definition_path, {
    serialize_function_arn = var.function_arns.serialize_image
    classify_function_arn  = var.function_arns.classify_image
    filter_function_arn    = var.function_arns.filter_inferences
    metric_namespace       = var.metric_namespace
  }))

  # A placeholder for a number would leave it no JSON, so concurrency is set on what was decoded.
  definition = jsonencode(merge(local.template, {
    States = merge(local.template.States, {
      for name, state in local.template.States :
      name => merge(state, { MaxConcurrency = var.max_concurrency }) if state.Type == "Map"
    })
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
