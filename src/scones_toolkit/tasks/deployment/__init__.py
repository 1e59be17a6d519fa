"""Deployment with Terraform, its cost, and taking it down."""
