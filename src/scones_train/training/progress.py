"""Progress of a training job on stdout, in lines of `name=value`."""

import sys
import time
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

from scones_core.model_card import ModelCard
from scones_train.sagemaker.metric_lines import metric_line

if TYPE_CHECKING:
    from scones_train.training.fit import EpochReport

# How many lines report the steps, from the first to the last.
STEP_LINES = 40
# How often the time of a preparation's step a training's takes: 0.31 s and 0.06 s of a processor
# (benchmarks/training_parts.py); both grow with the pixels.
TRAINING_STEP = 5.0
FIGURES = (
    "accuracy",
    "precision_at_threshold",
    "coverage_at_threshold",
    "expected_calibration_error",
)


def emit_metrics(values: dict[str, float | str]) -> None:
    """Write one line of `name=value`."""
    emit(metric_line(values))


def emit(line: str) -> None:
    """Write one line."""
    sys.stdout.write(f"{line}\n")
    # A pipe would otherwise be filled in blocks, and the follower of the job would wait.
    sys.stdout.flush()


def emit_result(card: ModelCard) -> None:
    """Report how good the finished model is, and on what its threshold rests."""
    emit_metrics(
        {name: value for name, value in card.metrics.items() if name.startswith("calibration_")}
    )
    emit_metrics({"threshold": card.threshold, "temperature": card.temperature})
    emit_metrics({f"test_{name}": card.metrics[name] for name in FIGURES})


class ProgressReport:
    """Reports how far all trainings are, now and then, and after an epoch or a fold.

    Of the steps, `preparation_steps` come before the first training and are quicker. Its methods
    may be called by several threads.
    """

    def __init__(
        self,
        total_steps: int,
        folds: int,
        clock: Callable[[], float] = time.monotonic,
        *,
        preparation_steps: int = 0,
    ) -> None:
        self._total, self._steps, self._preparing = total_steps, 0, preparation_steps
        self._folds, self._folds_done = folds, 0
        self._lock, self._clock = Lock(), clock
        self._started = self._first_ended = clock()

    def on_step(self) -> None:
        """Count one step of any training, and report it now and then."""
        with self._lock:
            before = self._steps * STEP_LINES // max(1, self._total)
            self._steps += 1
            if self._steps == 1:
                self._first_ended = self._clock()
            if self._steps * STEP_LINES // max(1, self._total) > before:
                steps = f"{self._steps}/{self._total}"
                emit_metrics({"step": steps, "seconds_left": self._seconds_left()})

    def on_resume(self, steps: int) -> None:
        """Leave out steps of a training that an earlier job has done."""
        with self._lock:
            self._total -= steps

    def on_epoch(self, done: "EpochReport") -> None:
        """Report where the final network stands."""
        with self._lock:
            emit_metrics(
                {
                    "epoch": f"{done.epoch}/{done.epochs}",
                    "train_loss": done.train_loss,
                    "seconds_left": self._seconds_left(),
                }
            )

    def on_fold(self, accuracy: float) -> None:
        """Report that one more fold is done, and the accuracy on the images it held out."""
        with self._lock:
            self._folds_done += 1
            emit_metrics(
                {
                    "fold": f"{self._folds_done}/{self._folds}",
                    "fold_accuracy": accuracy,
                    "seconds_left": self._seconds_left(),
                }
            )

    def _seconds_left(self) -> int:
        # The first step loads what all use, so that it says nothing of the others' time.
        left_out, since = (1, self._first_ended) if self._steps > 1 else (0, self._started)
        done = self._work(self._steps) - self._work(left_out)
        to_come = self._work(self._total) - self._work(self._steps)
        return round((self._clock() - since) / max(1.0, done) * to_come)

    def _work(self, steps: int) -> float:
        """Return what so many steps take, in steps of the preparation."""
        prepared = min(steps, self._preparing)
        return prepared + TRAINING_STEP * (steps - prepared)
