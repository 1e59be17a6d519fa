# Forecasts demand by a model that a person approved. Without one there is only the group that
# candidates are registered in.

locals {
  name     = "${var.prefix}-demand"
  regional = "${var.region}:${var.account_id}"
  arns = {
    state_machine = "arn:${var.partition}:states:${local.regional}:stateMachine:${local.name}"
    jobs          = "arn:${var.partition}:iam::${var.account_id}:role/${local.name}-jobs"
    bus           = "arn:${var.partition}:events:${local.regional}:event-bus/${var.bus_name}"
    data          = "arn:${var.partition}:s3:::${var.buckets.data}"
  }

  this = toset(var.model == null ? [] : ["this"])

  # A model cannot be changed, so that another has a name of its own.
  model_name = "${local.name}-${substr(sha256(jsonencode(var.model)), 0, 8)}"

  placeholders = {
    prefix        = var.prefix
    model_name    = local.model_name
    data_bucket   = var.buckets.data
    kms_key_arn   = var.kms_key_arn
    instance_type = var.instance_type
    # JSON is JSONata too.
    tags     = "{% ${jsonencode([for key, value in var.tags : { Key = key, Value = value }])} %}"
    bus_name = var.bus_name
  }

  # A placeholder stands within a JSON string, so that quotes in its value are escaped.
  escaped = { for key, value in local.placeholders : key => substr(jsonencode(value), 1, length(jsonencode(value)) - 2) }
}

resource "aws_sagemaker_model_package_group" "this" {
  model_package_group_name        = local.name
  model_package_group_description = "Trained demand forecasts of this environment, each with its figures and whether it may be used"
}

resource "aws_sagemaker_model" "this" {
  for_each = local.this

  name                     = local.model_name
  execution_role_arn       = local.arns.jobs
  enable_network_isolation = true

  primary_container {
    image          = var.model.image
    model_data_url = var.model.model_data_url
    environment    = { SCONES_WORKLOAD = "demand" }
  }

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = startswith(var.model.model_data_url, "s3://${var.buckets.artifacts}/model/")
      error_message = "demand.model takes its model from ${var.model.model_data_url}, but it must lie below s3://${var.buckets.artifacts}/model/: copy the artifact there and name it again."
    }
  }

  # The role's ARN is computed; SageMaker reads the artifact by it as it creates the model.
  depends_on = [aws_iam_role_policy.this]
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = local.this

  # Step Functions adds to one account-wide resource policy for any other prefix.
  name              = "/aws/vendedlogs/states/${local.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_sfn_state_machine" "this" {
  for_each = local.this

  name       = local.name
  type       = "STANDARD"
  role_arn   = aws_iam_role.this["machine"].arn
  definition = templatefile(var.definition_path, local.escaped)

  logging_configuration {
    level                  = "ERROR"
    include_execution_data = true
    log_destination        = "${aws_cloudwatch_log_group.this["this"].arn}:*"
  }

  tracing_configuration {
    enabled = true
  }

  # The role's policy must be there: AWS checks the right to deliver logs at once.
  depends_on = [aws_iam_role_policy.this, aws_sagemaker_model.this]
}

resource "aws_scheduler_schedule" "this" {
  for_each = var.schedule == null ? toset([]) : local.this

  name                         = local.name
  description                  = "Forecasts the hours in demand/input/"
  schedule_expression          = var.schedule.expression
  schedule_expression_timezone = var.schedule.timezone
  kms_key_arn                  = var.kms_key_arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_sfn_state_machine.this["this"].arn
    role_arn = aws_iam_role.this["starter"].arn
    input    = "{}"

    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 10
    }
  }
}
