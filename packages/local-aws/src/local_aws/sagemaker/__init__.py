"""SageMaker: training jobs and endpoints that run."""
