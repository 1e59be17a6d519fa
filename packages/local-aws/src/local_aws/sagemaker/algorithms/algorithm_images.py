"""Which of AWS's own images have a stand-in here, and what they report of themselves.

The registries are AWS's, an account or two a region:
https://docs.aws.amazon.com/sagemaker/latest/dg-ecr-paths/sagemaker-algo-docker-registry-paths.html
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local_aws.core.context import ACCOUNT_ID

_SOURCES = Path(__file__).parents[3]
_PACKAGE = "local_aws.sagemaker.algorithms"


@dataclass(frozen=True, slots=True)
class Algorithm:
    """An image of AWS's: its repository and tags, the package that stands for it, its metrics.

    With `metrics` a job takes no others; `own_failures` says that the image itself names whose
    fault an error was.
    """

    repository: str
    tags: str
    package: str
    metrics: Mapping[str, str] = field(default_factory=dict)
    own_failures: bool = False


ALGORITHMS = (
    Algorithm(
        "image-classification",
        "1|latest",
        "image_classification",
        # https://docs.aws.amazon.com/sagemaker/latest/dg/IC-tuning.html names the metrics; the
        # expressions read the lines that the algorithm writes.
        {
            "train:accuracy": r"Epoch\[\d+\] Train-accuracy=(\S+)",
            "validation:accuracy": r"Epoch\[\d+\] Validation-accuracy=(\S+)",
        },
        own_failures=True,
    ),
    # A script of the job's owner runs in it, and reports what it likes.
    Algorithm("autogluon-training", r"[0-9][\w.-]*", "autogluon_image"),
)


def algorithm_of(image: str) -> Algorithm | None:
    """Return the algorithm that an image of AWS's is; None for one without a stand-in here."""
    found = re.fullmatch(
        r"(\d{12})\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/([^:@/]+):([^:@/]+)", image
    )
    if found is None or found[1] == ACCOUNT_ID:
        return None
    for algorithm in ALGORITHMS:
        if found[2] == algorithm.repository and re.fullmatch(algorithm.tags, found[3]):
            return algorithm
    return None


def builtin_argv(algorithm: Algorithm, command: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the argument list of `train` or `serve`, and the environment that it needs."""
    # Images smaller than a cache line's worth of work gain nothing from more threads.
    environment = {"PYTHONPATH": str(_SOURCES), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return (sys.executable, "-m", f"{_PACKAGE}.{algorithm.package}", command), environment
