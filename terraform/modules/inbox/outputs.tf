output "queue_urls" {
  description = "URLs of the inbox's queue and of its dead-letter queue."
  value       = { inbox = aws_sqs_queue.this.url, inbox_dead_letters = aws_sqs_queue.dead_letters.url }
}
