"""Releases: choosing, comparing, promoting a model."""
