# S3 -> EventBridge -> queue -> function: a burst of images becomes a few executions.

resource "aws_s3_bucket_notification" "this" {
  bucket      = var.bucket
  eventbridge = true
}

resource "aws_cloudwatch_event_rule" "this" {
  name        = var.names.rule
  description = "New objects below ${var.prefix} of ${var.bucket}"

  event_pattern = jsonencode({
    source        = ["aws.s3"]
    "detail-type" = ["Object Created"]
    detail = {
      bucket = { name = [var.bucket] }
      object = { key = [{ prefix = var.prefix }] }
    }
  })
}

resource "aws_cloudwatch_event_target" "this" {
  rule = aws_cloudwatch_event_rule.this.name
  arn  = var.arns.queue

  # The ARN is computed from the name, so the queue need not exist yet.
  depends_on = [aws_sqs_queue.this]
}

# Messages stay until an execution is started for them, up to 14 days.
resource "aws_sqs_queue" "this" {
  name                    = var.names.queue
  sqs_managed_sse_enabled = true
  # AWS advises six times the function's timeout.
  visibility_timeout_seconds = 6 * var.function_timeout_seconds
  message_retention_seconds  = 1209600

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "RuleSends"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = var.arns.queue
      Condition = { ArnEquals = { "aws:SourceArn" = var.arns.rule } }
    }]
  })
}

# Messages that are not S3 events; the function puts them here with the reason. A redrive policy
# would move them without a reason, and would also move images after a fault of the workflow.
resource "aws_sqs_queue" "dead_letters" {
  name                      = var.names.dead_letter_queue
  sqs_managed_sse_enabled   = true
  message_retention_seconds = 1209600
}

resource "aws_lambda_event_source_mapping" "this" {
  event_source_arn                   = aws_sqs_queue.this.arn
  function_name                      = var.function_arn
  batch_size                         = 1000
  maximum_batching_window_in_seconds = var.window_seconds
  function_response_types            = ["ReportBatchItemFailures"]

  # The lower the concurrency, the more messages one invocation takes.
  scaling_config {
    maximum_concurrency = 2
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = {
    dead_letters = {
      name        = "${var.names.dead_letter_queue}-waiting"
      queue       = var.names.dead_letter_queue
      metric      = "ApproximateNumberOfMessagesVisible"
      threshold   = 1
      description = "Messages in the inbox are not S3 events: in ${var.names.dead_letter_queue}, their attribute Reason says why."
    }
    waiting = {
      name        = "${var.names.queue}-waiting"
      queue       = var.names.queue
      metric      = "ApproximateAgeOfOldestMessage"
      threshold   = 900
      description = "Images below ${var.prefix} have started no execution for 15 minutes: the log of the function collect_inbox says why."
    }
  }

  alarm_name          = each.value.name
  alarm_description   = each.value.description
  namespace           = "AWS/SQS"
  metric_name         = each.value.metric
  dimensions          = { QueueName = each.value.queue }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = each.value.threshold
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
}
