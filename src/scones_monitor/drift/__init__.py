"""Drift: what an endpoint sees now, compared with what its model was made for."""
