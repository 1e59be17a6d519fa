"""Terraform run from Python: one adapter, and what its plans, states and files say."""
