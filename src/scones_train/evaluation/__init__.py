"""Metrics, calibration, the quality gate, and agreement of an endpoint with its training."""
