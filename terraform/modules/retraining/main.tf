# Retrains the active model with what reviewers answered, and proposes the result. It deploys
# nothing: releases change by release.tfvars.json alone.

locals {
  name     = "${var.prefix}-retrain"
  regional = "${var.region}:${var.account_id}"
  arns = {
    state_machine = "arn:${var.partition}:states:${local.regional}:stateMachine:${local.name}"
    jobs          = "arn:${var.partition}:iam::${var.account_id}:role/${local.name}-jobs"
    bus           = "arn:${var.partition}:events:${local.regional}:event-bus/${var.bus_name}"
    group         = "arn:${var.partition}:sagemaker:${local.regional}:model-package-group/${var.model_group}"
    package       = "arn:${var.partition}:sagemaker:${local.regional}:model-package/${var.model_group}/*"
    data          = "arn:${var.partition}:s3:::${var.buckets.data}"
    artifacts     = "arn:${var.partition}:s3:::${var.buckets.artifacts}"
  }

  placeholders = {
    prefix           = var.prefix
    jobs_role_arn    = local.arns.jobs
    training_image   = var.training_image
    serving_image    = var.release.image
    data_bucket      = var.buckets.data
    artifacts_bucket = var.buckets.artifacts
    dataset_version  = var.release.dataset_version
    kms_key_arn      = var.kms_key_arn
    instance_type    = var.instance_type
    # JSON is JSONata too.
    tags             = "{% ${jsonencode([for key, value in var.tags : { Key = key, Value = value }])} %}"
    hyperparameters  = "{% ${jsonencode(var.hyperparameters)} %}"
    model_group      = var.model_group
    active_model     = var.release.model_data_url
    active_threshold = tostring(var.release.threshold)
    quality          = jsonencode(var.quality)
    bus_name         = var.bus_name
    topic_arn        = var.topic_arn
  }

  # A placeholder stands within a JSON string, so that quotes in its value are escaped.
  escaped = { for key, value in local.placeholders : key => substr(jsonencode(value), 1, length(jsonencode(value)) - 2) }
}

resource "aws_cloudwatch_log_group" "this" {
  # Step Functions adds to one account-wide resource policy for any other prefix.
  name              = "/aws/vendedlogs/states/${local.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_sfn_state_machine" "this" {
  name       = local.name
  type       = "STANDARD"
  role_arn   = aws_iam_role.this["machine"].arn
  definition = templatefile(var.definition_path, local.escaped)

  logging_configuration {
    level                  = "ERROR"
    include_execution_data = true
    log_destination        = "${aws_cloudwatch_log_group.this.arn}:*"
  }

  tracing_configuration {
    enabled = true
  }

  # The role's policy must be there: AWS checks the right to deliver logs at once.
  depends_on = [aws_iam_role_policy.this]
}

resource "aws_cloudwatch_event_rule" "alarms" {
  for_each = toset(length(var.alarms.names) == 0 ? [] : ["this"])

  name        = "${local.name}-on-alarm"
  description = "Starts a retraining when one of these alarms is raised: ${join(", ", var.alarms.names)}"
  event_pattern = jsonencode({
    source        = ["aws.cloudwatch"]
    "detail-type" = ["CloudWatch Alarm State Change"]
    detail = {
      alarmName = var.alarms.names
      state     = { value = ["ALARM"] }
    }
  })
}

resource "aws_cloudwatch_event_target" "alarms" {
  for_each = aws_cloudwatch_event_rule.alarms

  rule     = each.value.name
  arn      = aws_sfn_state_machine.this.arn
  role_arn = aws_iam_role.this["starter"].arn

  input_transformer {
    input_paths    = { alarm = "$.detail.alarmName" }
    input_template = "{\"reason\": \"the alarm <alarm>\", \"min_new_images\": ${var.alarms.min_new_images}}"
  }
}

resource "aws_scheduler_schedule" "this" {
  for_each = toset(var.schedule == null ? [] : ["this"])

  name                = local.name
  description         = "Starts a retraining where enough images were answered since the last"
  schedule_expression = var.schedule.expression
  kms_key_arn         = var.kms_key_arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_sfn_state_machine.this.arn
    role_arn = aws_iam_role.this["starter"].arn
    input    = jsonencode({ reason = "the schedule", min_new_images = var.schedule.min_new_images })

    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 10
    }
  }
}
