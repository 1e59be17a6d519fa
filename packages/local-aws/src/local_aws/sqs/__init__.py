"""SQS: metrics of queues."""
