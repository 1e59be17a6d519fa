"""What the deployed endpoint has seen: captured records, statistics, the report."""
