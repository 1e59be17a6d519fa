"""Budgets: subscribers of a notification, updates and tags."""
