"""Which of AWS's own images have a stand-in here, and what they report of themselves.

The registries are AWS's, one account a region:
https://docs.aws.amazon.com/sagemaker/latest/dg-ecr-paths/sagemaker-algo-docker-registry-paths.html
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from local_aws.core.context import ACCOUNT_ID

_IMAGE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/"
    r"image-classification:(1|latest)"
)
# https://docs.aws.amazon.com/sagemaker/latest/dg/IC-tuning.html names the metrics; the
# expressions read the lines that the algorithm writes.
METRICS: Mapping[str, str] = {
    "train:accuracy": r"Epoch\[\d+\] Train-accuracy=(\S+)",
    "validation:accuracy": r"Epoch\[\d+\] Validation-accuracy=(\S+)",
}
_SOURCES = Path(__file__).parents[3]
PROGRAM = "local_aws.sagemaker.algorithms.image_classification"


def is_builtin(image: str) -> bool:
    """Return whether this is AWS's image of an algorithm that has a stand-in here."""
    found = _IMAGE.fullmatch(image)
    return found is not None and found["account"] != ACCOUNT_ID


def builtin_argv(command: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the argument list of `train` or `serve`, and the environment that it needs."""
    # Images smaller than a cache line's worth of work gain nothing from more threads.
    environment = {"PYTHONPATH": str(_SOURCES), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return (sys.executable, "-m", PROGRAM, command), environment
