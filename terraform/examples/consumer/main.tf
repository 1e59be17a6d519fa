# A consumer of the workflow's events: near orders go to one queue, far ones to another. It is a
# separate root module that knows only the name of the event bus.

variable "event_bus" {
  description = "Name of the workflow's event bus, its output event_bus."
  type        = string
  nullable    = false
}

locals {
  orders = toset(["near", "far"])
}

resource "aws_cloudwatch_event_rule" "orders" {
  for_each = local.orders

  name           = "${var.event_bus}-${each.key}-orders"
  description    = "Vehicles that get ${each.key} orders"
  event_bus_name = var.event_bus

  event_pattern = jsonencode({
    source        = ["scones.workflow"]
    "detail-type" = ["VehicleClassified"]
    detail = {
      schema_version = ["1"]
      assignment     = { orders = [each.key] }
    }
  })
}

resource "aws_sqs_queue" "orders" {
  for_each = local.orders

  name                    = "${var.event_bus}-${each.key}-orders"
  sqs_managed_sse_enabled = true
}

resource "aws_sqs_queue_policy" "orders" {
  for_each = local.orders

  queue_url = aws_sqs_queue.orders[each.key].url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "RuleSends"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.orders[each.key].arn
      Condition = { ArnEquals = { "aws:SourceArn" = aws_cloudwatch_event_rule.orders[each.key].arn } }
    }]
  })
}

resource "aws_cloudwatch_event_target" "orders" {
  for_each = local.orders

  rule           = aws_cloudwatch_event_rule.orders[each.key].name
  event_bus_name = var.event_bus
  arn            = aws_sqs_queue.orders[each.key].arn

  depends_on = [aws_sqs_queue_policy.orders]
}

output "queue_urls" {
  description = "URLs of the queues of near and of far orders."
  value       = { for key, queue in aws_sqs_queue.orders : key => queue.url }
}
