"""What the tasks do, a module a subject; each is imported when its task is first run.

What one task needs (boto3, ONNX Runtime) would otherwise delay all others.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scones_toolkit.tasks import demo, etl, local, predict
    from scones_toolkit.tasks.demand import forecast, jobs
    from scones_toolkit.tasks.deployment import cost, deploy, removal
    from scones_toolkit.tasks.monitoring import report, review, sampling, shadow, watch
    from scones_toolkit.tasks.releases import challenger, evaluation, releases, retraining
    from scones_toolkit.tasks.training import candidates, train, tune
    from scones_toolkit.tasks.workflow import image_history, redrive, results, run, simulate

__all__ = [
    "candidates",
    "challenger",
    "cost",
    "demo",
    "deploy",
    "etl",
    "evaluation",
    "forecast",
    "image_history",
    "jobs",
    "local",
    "predict",
    "redrive",
    "releases",
    "removal",
    "report",
    "results",
    "retraining",
    "review",
    "run",
    "sampling",
    "shadow",
    "simulate",
    "train",
    "tune",
    "watch",
]

_FOLDERS = {
    "demand": ("forecast", "jobs"),
    "deployment": ("cost", "deploy", "removal"),
    "monitoring": ("report", "review", "sampling", "shadow", "watch"),
    "releases": ("challenger", "evaluation", "releases", "retraining"),
    "training": ("candidates", "train", "tune"),
    "workflow": ("image_history", "redrive", "results", "run", "simulate"),
}


def __getattr__(name: str) -> ModuleType:
    """Import a task's module on its first use."""
    if name not in __all__:
        raise AttributeError(name)
    folder = next((f".{folder}" for folder, held in _FOLDERS.items() if name in held), "")
    return importlib.import_module(f"{__name__}{folder}.{name}")
