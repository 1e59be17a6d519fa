"""CloudWatch Logs: filter patterns, metric filters, encryption keys."""
