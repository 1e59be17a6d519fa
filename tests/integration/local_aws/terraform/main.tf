# What the embedded AWS has to deploy besides the project's own resources: each type in it is one
# whose answers moto gave otherwise than AWS, or one that a project like this one needs next.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100.0, < 7.0.0"
    }
  }
}

variable "account_id" {
  type = string
}

variable "step" {
  description = "What is changed from one apply to the next."
  type        = string
}

variable "model" {
  description = "Which of the two models the endpoint serves."
  type        = string
}

provider "aws" {
  region            = "us-east-1"
  s3_use_path_style = true
  max_retries       = 2

  default_tags {
    tags = { step = var.step }
  }
}

data "aws_caller_identity" "this" {}

data "aws_sagemaker_prebuilt_ecr_image" "builtin" {
  repository_name = "image-classification"
  image_tag       = "1"
}

locals {
  # Made beforehand: the provider waits 25 s for each queue, and for this one before the other.
  dead_letters = "arn:aws:sqs:us-east-1:${var.account_id}:resources-dead"
}

# --- who may do what

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type = "Service"
      identifiers = [
        "lambda.amazonaws.com", "states.amazonaws.com", "sagemaker.amazonaws.com",
        "events.amazonaws.com", "scheduler.amazonaws.com",
      ]
    }
  }
}

resource "aws_iam_role" "any" {
  name               = "resources"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "any" {
  name = "own"
  role = aws_iam_role.any.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "*", Resource = "*" }]
  })
}

resource "aws_iam_role_policy_attachment" "managed" {
  role       = aws_iam_role.any.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
}

resource "aws_iam_policy" "conditional" {
  name = "resources"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "cloudwatch:PutMetricData"
      Resource  = "*"
      Condition = { StringEquals = { "cloudwatch:namespace" = "Resources" } }
    }]
  })
}

# --- keys, settings, tables

resource "aws_kms_key" "any" {
  description             = "for ${var.step}"
  deletion_window_in_days = 7
}

resource "aws_kms_alias" "any" {
  name          = "alias/resources"
  target_key_id = aws_kms_key.any.key_id
}

resource "aws_dynamodb_table" "results" {
  name         = "resources"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "batch"
  range_key    = "image"

  attribute {
    name = "batch"
    type = "S"
  }

  attribute {
    name = "image"
    type = "S"
  }

  attribute {
    name = "decision"
    type = "S"
  }

  global_secondary_index {
    name            = "by-decision"
    hash_key        = "decision"
    projection_type = "ALL"
  }

  ttl {
    attribute_name = "expires"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = aws_kms_key.any.arn
  }
}

resource "aws_ecr_repository" "any" {
  name = "toy-resources"
}

# --- buckets

resource "aws_s3_bucket" "data" {
  bucket        = "resources-data"
  force_destroy = true
}

resource "aws_s3_bucket_policy" "data" {
  bucket = aws_s3_bucket.data.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.data.arn, "${aws_s3_bucket.data.arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "Logs"
        Effect    = "Allow"
        Principal = { Service = "logging.s3.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "${aws_s3_bucket.data.arn}/*"
      },
    ]
  })
}

resource "aws_s3_bucket_logging" "data" {
  bucket        = aws_s3_bucket.data.id
  target_bucket = aws_s3_bucket.data.id
  target_prefix = "log/${var.step}/"
  depends_on    = [aws_s3_bucket_policy.data]
}

resource "aws_s3_bucket_notification" "data" {
  bucket      = aws_s3_bucket.data.id
  eventbridge = true
}

resource "aws_s3_object" "model" {
  for_each = toset(["first", "second"])
  bucket   = aws_s3_bucket.data.id
  key      = "models/${each.key}.tar.gz"
  source   = "${path.module}/model.tar.gz"
  # Its bytes are the same; that another model is served shows in its environment.
}

# --- functions

resource "aws_lambda_layer_version" "any" {
  layer_name          = "resources"
  filename            = "${path.module}/layer.zip"
  compatible_runtimes = ["python3.12"]
}

resource "aws_lambda_function" "any" {
  function_name = "resources"
  role          = aws_iam_role.any.arn
  runtime       = "python3.12"
  handler       = "app.handler"
  filename      = "${path.module}/function.zip"
  publish       = true
  layers        = [aws_lambda_layer_version.any.arn]
  timeout       = 10

  environment {
    variables = { STEP = var.step }
  }

  dead_letter_config {
    target_arn = local.dead_letters
  }

  ephemeral_storage {
    size = var.step == "first" ? 512 : 1024
  }

  tracing_config {
    mode = var.step == "first" ? "PassThrough" : "Active"
  }

  logging_config {
    log_format            = "JSON"
    application_log_level = var.step == "first" ? "INFO" : "WARN"
  }

  depends_on = [aws_iam_role_policy.any]
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  function_name    = aws_lambda_function.any.function_name
  function_version = aws_lambda_function.any.version
}

resource "aws_lambda_permission" "events" {
  statement_id  = "events"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.any.function_name
  qualifier     = aws_lambda_alias.live.name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.pattern.arn
}

resource "aws_lambda_function_event_invoke_config" "any" {
  function_name                = aws_lambda_function.any.function_name
  qualifier                    = aws_lambda_alias.live.name
  maximum_retry_attempts       = var.step == "first" ? 0 : 1
  maximum_event_age_in_seconds = 60

  destination_config {
    on_failure {
      destination = local.dead_letters
    }
  }
}

resource "aws_lambda_event_source_mapping" "queue" {
  function_name    = aws_lambda_alias.live.arn
  event_source_arn = aws_sqs_queue.work.arn
  batch_size       = var.step == "first" ? 1 : 5
}

# --- queues and topics

resource "aws_sqs_queue" "work" {
  name                       = "resources-work"
  visibility_timeout_seconds = 60

  redrive_policy = jsonencode({
    deadLetterTargetArn = local.dead_letters
    maxReceiveCount     = 3
  })

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "sns.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = "arn:aws:sqs:us-east-1:${var.account_id}:resources-work"
      Condition = { ArnEquals = { "aws:SourceArn" = aws_sns_topic.any.arn } }
    }]
  })
}

resource "aws_sns_topic" "any" {
  name              = "resources"
  display_name      = var.step
  kms_master_key_id = aws_kms_key.any.key_id
}

resource "aws_sns_topic_subscription" "queue" {
  topic_arn            = aws_sns_topic.any.arn
  protocol             = "sqs"
  endpoint             = aws_sqs_queue.work.arn
  raw_message_delivery = true
  filter_policy        = jsonencode({ step = [var.step] })
}

# --- state machines

resource "aws_cloudwatch_log_group" "state_machine" {
  name              = "/aws/vendedlogs/states/resources"
  retention_in_days = var.step == "first" ? 1 : 3
}

resource "aws_sfn_state_machine" "any" {
  name     = "resources"
  role_arn = aws_iam_role.any.arn
  publish  = true
  definition = jsonencode({
    StartAt = "Only"
    States  = { Only = { Type = "Pass", Result = var.step, End = true } }
  })

  logging_configuration {
    level                  = "ALL"
    include_execution_data = true
    log_destination        = "${aws_cloudwatch_log_group.state_machine.arn}:*"
  }

  tracing_configuration {
    enabled = true
  }

  depends_on = [aws_iam_role_policy.any]
}

resource "aws_sfn_alias" "live" {
  name = "live"

  routing_configuration {
    state_machine_version_arn = aws_sfn_state_machine.any.state_machine_version_arn
    weight                    = 100
  }
}

# --- events and schedules

resource "aws_cloudwatch_event_bus" "any" {
  name = "resources"
}

resource "aws_cloudwatch_event_rule" "pattern" {
  name           = "pattern"
  event_bus_name = aws_cloudwatch_event_bus.any.name
  event_pattern  = jsonencode({ source = ["resources"], detail = { step = [var.step] } })
}

resource "aws_cloudwatch_event_target" "transformed" {
  rule           = aws_cloudwatch_event_rule.pattern.name
  event_bus_name = aws_cloudwatch_event_bus.any.name
  target_id      = "function"
  arn            = aws_lambda_alias.live.arn

  input_transformer {
    input_paths    = { step = "$.detail.step" }
    input_template = "{\"step\": <step>, \"fixed\": \"${var.step}\"}"
  }

  retry_policy {
    maximum_retry_attempts       = 1
    maximum_event_age_in_seconds = 60
  }

  dead_letter_config {
    arn = local.dead_letters
  }
}

resource "aws_cloudwatch_event_rule" "rate" {
  name                = "resources-rate"
  schedule_expression = var.step == "first" ? "rate(1 day)" : "cron(0 6 * * ? *)"
}

resource "aws_cloudwatch_event_target" "state_machine" {
  rule     = aws_cloudwatch_event_rule.rate.name
  arn      = aws_sfn_alias.live.arn
  role_arn = aws_iam_role.any.arn
  input    = jsonencode({ step = var.step })
}

resource "aws_scheduler_schedule_group" "any" {
  name = "resources"
}

resource "aws_scheduler_schedule" "any" {
  name                = "resources"
  group_name          = aws_scheduler_schedule_group.any.name
  schedule_expression = var.step == "first" ? "rate(1 day)" : "rate(2 days)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_alias.live.arn
    role_arn = aws_iam_role.any.arn
    input    = jsonencode({ step = var.step })
  }
}

# --- watching

resource "aws_cloudwatch_log_metric_filter" "errors" {
  name           = "errors"
  log_group_name = aws_cloudwatch_log_group.state_machine.name
  pattern        = "{ $.type = \"ExecutionFailed\" && $.step = \"${var.step}\" }"

  metric_transformation {
    name          = "Failed"
    namespace     = "Resources"
    value         = "1"
    default_value = "0"
  }
}

resource "aws_cloudwatch_metric_alarm" "failed" {
  for_each            = toset(["many", "some"])
  alarm_name          = "resources-${each.key}"
  namespace           = "Resources"
  metric_name         = "Failed"
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  threshold           = each.key == "many" ? 10 : 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = var.step == "first" ? "missing" : "notBreaching"
}

resource "aws_cloudwatch_composite_alarm" "both" {
  alarm_name        = "resources-both"
  alarm_description = var.step
  alarm_rule = join(" AND ", [
    for alarm in aws_cloudwatch_metric_alarm.failed : "ALARM(${alarm.alarm_name})"
  ])
}

resource "aws_cloudwatch_dashboard" "any" {
  dashboard_name = "resources"
  dashboard_body = jsonencode({ widgets = [{ type = "text", x = 0, y = 0, width = 6, height = 6, properties = { markdown = var.step } }] })
}

resource "aws_budgets_budget" "any" {
  name         = "resources"
  budget_type  = "COST"
  limit_amount = var.step == "first" ? "10" : "20"
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  notification {
    comparison_operator        = "GREATER_THAN"
    threshold                  = 80
    threshold_type             = "PERCENTAGE"
    notification_type          = "ACTUAL"
    subscriber_email_addresses = ["${var.step}@example.com"]
  }
}

# --- models and endpoints

resource "aws_sagemaker_model_package_group" "any" {
  model_package_group_name = "resources"
}

resource "aws_sagemaker_model" "any" {
  for_each           = toset(["first", "second"])
  name               = "resources-${each.key}"
  execution_role_arn = aws_iam_role.any.arn

  primary_container {
    image          = "${aws_ecr_repository.any.repository_url}:1"
    model_data_url = "s3://${aws_s3_bucket.data.id}/${aws_s3_object.model[each.key].key}"
    environment    = { WHICH = each.key }
  }

  depends_on = [aws_iam_role_policy.any]
}

resource "aws_sagemaker_endpoint_configuration" "any" {
  name_prefix = "resources-"

  production_variants {
    variant_name           = "AllTraffic"
    model_name             = aws_sagemaker_model.any[var.model].name
    instance_type          = "ml.m5.large"
    initial_instance_count = 1
    initial_variant_weight = 1
  }

  data_capture_config {
    enable_capture              = true
    initial_sampling_percentage = 100
    destination_s3_uri          = "s3://${aws_s3_bucket.data.id}/captured"

    capture_options {
      capture_mode = "InputAndOutput"
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_sagemaker_endpoint" "any" {
  name                 = "resources"
  endpoint_config_name = aws_sagemaker_endpoint_configuration.any.name

  deployment_config {
    blue_green_update_policy {
      termination_wait_in_seconds          = 0
      maximum_execution_timeout_in_seconds = 600

      traffic_routing_configuration {
        type                     = "ALL_AT_ONCE"
        wait_interval_in_seconds = 0
      }
    }

    auto_rollback_configuration {
      alarms {
        alarm_name = aws_cloudwatch_metric_alarm.failed["many"].alarm_name
      }
    }
  }
}

resource "aws_sagemaker_endpoint_configuration" "serverless" {
  name_prefix = "resources-serverless-"

  production_variants {
    variant_name = "AllTraffic"
    model_name   = aws_sagemaker_model.any["first"].name

    serverless_config {
      memory_size_in_mb = var.step == "first" ? 1024 : 2048
      max_concurrency   = 2
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_appautoscaling_target" "instances" {
  service_namespace  = "sagemaker"
  resource_id        = "endpoint/${aws_sagemaker_endpoint.any.name}/variant/AllTraffic"
  scalable_dimension = "sagemaker:variant:DesiredInstanceCount"
  min_capacity       = 1
  max_capacity       = var.step == "first" ? 1 : 2
}

resource "aws_appautoscaling_policy" "invocations" {
  name               = "resources"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.instances.service_namespace
  resource_id        = aws_appautoscaling_target.instances.resource_id
  scalable_dimension = aws_appautoscaling_target.instances.scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value = var.step == "first" ? 100 : 200

    predefined_metric_specification {
      predefined_metric_type = "SageMakerVariantInvocationsPerInstance"
    }
  }
}

output "account_id" {
  value = data.aws_caller_identity.this.account_id
}

output "builtin" {
  value = data.aws_sagemaker_prebuilt_ecr_image.builtin.registry_path
}
