"""`TrainingJobEarlyStoppingType: Auto`, the median rule.

https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-early-stopping.html: a
training job is stopped when its objective after an epoch is worse than the median, over the
earlier jobs, of the running average of theirs up to that epoch.
"""

import statistics
from collections.abc import Sequence

# With fewer earlier jobs a median says nothing.
LEAST_EARLIER = 3


def lags(current: Sequence[float], earlier: Sequence[Sequence[float]], *, maximise: bool) -> bool:
    """Return whether a job with these values of its objective so far is to be stopped.

    `earlier` has the whole series of the jobs that have ended.
    """
    epoch = len(current)
    compared = [series[:epoch] for series in earlier if len(series) >= epoch]
    if not epoch or len(compared) < LEAST_EARLIER:
        return False
    median = statistics.median(statistics.fmean(series) for series in compared)
    return current[-1] < median if maximise else current[-1] > median
