"""Where a tuning job looks next, for programs that tune without SageMaker's API."""

from local_aws.sagemaker.jobs.tuning_search import Trial, parse_ranges, search_for

__all__ = ["Trial", "parse_ranges", "search_for"]
