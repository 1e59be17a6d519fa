output "table" {
  description = "Name of the table of assignments."
  value       = aws_dynamodb_table.assignments.name
}

output "event_bus" {
  description = "Name of the event bus that VehicleClassified is published on."
  value       = aws_cloudwatch_event_bus.this.name
}

output "queue_urls" {
  description = "URLs of the queues of images to review and of failed images."
  value       = { for key, queue in aws_sqs_queue.this : key => queue.url }
}
