"""The demand forecast."""
