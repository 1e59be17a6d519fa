"""Training: here or by SageMaker, tuning, and what came of it."""
