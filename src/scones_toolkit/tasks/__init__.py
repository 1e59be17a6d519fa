"""What the tasks of `tasks.py` do, a module a subject; each is imported when it is first used.

What one task needs (boto3, ONNX Runtime) would otherwise delay all others.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scones_toolkit.tasks import (
        candidates,
        cost,
        data,
        demand,
        demand_jobs,
        demo,
        deployment,
        evaluation,
        local,
        monitoring,
        predict,
        releases,
        removal,
        retraining,
        review,
        running,
        shadow,
        training,
        tuning,
        watch,
    )
    from scones_toolkit.tasks.workflow import redrive, results, simulate

__all__ = [
    "candidates",
    "cost",
    "data",
    "demand",
    "demand_jobs",
    "demo",
    "deployment",
    "evaluation",
    "local",
    "monitoring",
    "predict",
    "redrive",
    "releases",
    "removal",
    "results",
    "retraining",
    "review",
    "running",
    "shadow",
    "simulate",
    "training",
    "tuning",
    "watch",
]


_IN_WORKFLOW = ("redrive", "results", "simulate")


def __getattr__(name: str) -> ModuleType:
    """Import a module of this package on its first use."""
    if name not in __all__:
        raise AttributeError(name)
    folder = f"{__name__}.workflow" if name in _IN_WORKFLOW else __name__
    return importlib.import_module(f"{folder}.{name}")
