"""Training and tuning jobs on SageMaker, and its model registry."""
