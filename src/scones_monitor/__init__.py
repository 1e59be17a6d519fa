"""Watching an endpoint: captured records, their statistics, and the report pages."""
