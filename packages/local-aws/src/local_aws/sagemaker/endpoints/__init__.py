"""Endpoints: configurations, the fleets that serve them, rollouts, invocations and data capture."""
