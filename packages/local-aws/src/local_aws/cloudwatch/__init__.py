"""CloudWatch: metrics, metric math, alarms."""
