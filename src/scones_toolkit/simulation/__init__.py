"""Simulated load: images as cameras send them, good and bad, and how the workflow answered."""
