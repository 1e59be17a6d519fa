"""SNS: deliveries to subscribers."""
