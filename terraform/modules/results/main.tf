# A row for each version of an image and each release that decided on it: a repeat changes nothing,
# and a newer release's answer does not replace an older one.
resource "aws_dynamodb_table" "assignments" {
  name                        = var.names.assignments
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "image"
  range_key                   = "release"
  deletion_protection_enabled = var.protected

  attribute {
    name = "image"
    type = "S"
  }

  attribute {
    name = "release"
    type = "S"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }
}

# Consumers add rules of their own; docs/events.md has the event's schema.
resource "aws_cloudwatch_event_bus" "this" {
  name = var.names.event_bus
}

# SQS's own encryption: a key would add KMS requests, and the rules of consumers would need it. A
# message has only an image's location and its verdict.
resource "aws_sqs_queue" "this" {
  for_each = toset(["review", "dead_letters"])

  name                       = var.names.queues[each.key]
  sqs_managed_sse_enabled    = true
  message_retention_seconds  = 1209600
  visibility_timeout_seconds = 300
}
