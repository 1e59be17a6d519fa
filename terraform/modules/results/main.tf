# A row for each version of an image and each release that decided on it, so that a repeat changes
# nothing, and a newer release's answer stands next to the older one.
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

# SQS's own encryption: with a key each message would be a request to KMS, and rules of consumers
# would need it. A message names an image and a label.
resource "aws_sqs_queue" "this" {
  for_each = toset(["review", "dead_letters"])

  name                       = var.names.queues[each.key]
  sqs_managed_sse_enabled    = true
  message_retention_seconds  = 1209600
  visibility_timeout_seconds = 300
}
