# Reports each day of the endpoint's traffic by the code of `inv report`: a schedule starts a state
# machine, which waits for one processing job.

locals {
  name     = "${var.prefix}-daily-report"
  regional = "${var.region}:${var.account_id}"
  arns = {
    state_machine = "arn:${var.partition}:states:${local.regional}:stateMachine:${local.name}"
    jobs          = "arn:${var.partition}:iam::${var.account_id}:role/${local.name}-jobs"
    data          = "arn:${var.partition}:s3:::${var.data_bucket}"
    settings      = "arn:${var.partition}:s3:::${var.data_bucket}/${local.settings_key}"
    capture       = "arn:${var.partition}:s3:::${local.capture.bucket}"
  }

  capture = {
    bucket = split("/", trimprefix(var.settings.capture_uri, "s3://"))[0]
    prefix = join("/", slice(split("/", var.settings.capture_uri), 3, length(split("/", var.settings.capture_uri))))
  }

  # An environment variable of a processing job holds 256 characters, which class names pass.
  settings_key = "daily-report/settings.json"

  placeholders = {
    prefix        = var.prefix
    jobs_role_arn = local.arns.jobs
    image         = var.image
    settings_uri  = "s3://${var.data_bucket}/${local.settings_key}"
    data_bucket   = var.data_bucket
    kms_key_arn   = var.kms_key_arn
    instance_type = var.instance_type
    # JSON is JSONata too.
    tags = "{% ${jsonencode([for key, value in var.tags : { Key = key, Value = value }])} %}"
  }

  # A placeholder stands within a JSON string, so that quotes in its value are escaped.
  escaped = { for key, value in local.placeholders : key => substr(jsonencode(value), 1, length(jsonencode(value)) - 2) }
}

resource "aws_s3_object" "settings" {
  #checkov:skip=CKV_AWS_186:the bucket encrypts with the environment's key

  bucket       = var.data_bucket
  key          = local.settings_key
  content      = jsonencode(merge(var.settings, { data_bucket = var.data_bucket }))
  content_type = "application/json"
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

resource "aws_scheduler_schedule" "this" {
  name                         = local.name
  description                  = "Reports the day before"
  schedule_expression          = var.schedule.expression
  schedule_expression_timezone = var.schedule.timezone
  kms_key_arn                  = var.kms_key_arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_sfn_state_machine.this.arn
    role_arn = aws_iam_role.this["starter"].arn
    # Not by jsonencode, which escapes the angle brackets. A start that was retried is of its own day.
    input = "{\"time\": \"<aws.scheduler.scheduled-time>\"}"

    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 10
    }
  }
}
