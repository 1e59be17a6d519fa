"""Freed memory that a training keeps."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource
import numpy as np
from scones_train.training.memory import keep_freed_memory

keeps = keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    np.ones(16_000_000, dtype=np.uint8)
print(keeps, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc can be told to")
def test_memory_that_is_freed_is_not_fetched_from_the_system_again() -> None:
    said = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)
    keeps, pages = said.stdout.split()
    # 16 MB are 3,900 pages of 4 kB, and eight times that without it.
    assert keeps == b"True"
    assert int(pages) < 8_000
