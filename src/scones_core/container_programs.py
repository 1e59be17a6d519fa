"""Workloads of the model image: which program `train` and `serve` start.

`python -m scones_core.container_programs train` runs the workload that the variable
SCONES_WORKLOAD names; SageMaker passes it on from a job's or a model's Environment. Without it the
images are meant.
"""

import os
import runpy
import sys
from collections.abc import Mapping

VARIABLE = "SCONES_WORKLOAD"
PROGRAMS: Mapping[str, Mapping[str, str]] = {
    "images": {"train": "scones_train.training.train", "serve": "scones_train.serving.serve"},
    "demand": {"train": "scones_demand.train", "serve": "scones_demand.serve"},
}


def program(command: str, environ: Mapping[str, str]) -> str | None:
    """Return the module that a word starts; None for a word or workload that there is not."""
    return PROGRAMS.get(environ.get(VARIABLE) or "images", {}).get(command)


def main(arguments: list[str]) -> int:
    """Run the program in this process; return 2, with a sentence, where there is none."""
    module = program(arguments[0], os.environ) if len(arguments) == 1 else None
    if module is None:
        sys.stderr.write(
            f"Give one word, train or serve, and set {VARIABLE} to {' or '.join(PROGRAMS)}; it is "
            f"{os.environ.get(VARIABLE, '')[:40]!r}.\n"
        )
        return 2
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
