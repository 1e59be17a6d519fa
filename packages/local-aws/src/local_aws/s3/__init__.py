"""S3: event notifications."""
