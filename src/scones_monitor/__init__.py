"""Watching an endpoint: captured records, their statistics, drift, and the report page."""
