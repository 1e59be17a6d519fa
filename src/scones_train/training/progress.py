"""What a training job says of itself on stdout, in lines of `name=value`."""

import sys
import time
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

from scones_core.model_card import ModelCard
from scones_train.sagemaker.metric_lines import metric_line

if TYPE_CHECKING:
    from scones_train.model.classifier import Classifier
    from scones_train.training.fit import EpochReport

# How often the steps are told of, from the first to the last.
TOLD = 40
FIGURES = (
    "accuracy",
    "precision_at_threshold",
    "coverage_at_threshold",
    "expected_calibration_error",
)


def say(values: dict[str, float | str]) -> None:
    """Write one line of `name=value`."""
    say_text(metric_line(values))


def say_text(line: str) -> None:
    """Write one line."""
    sys.stdout.write(f"{line}\n")
    # Whoever follows the job reads a pipe, which would else be filled in blocks.
    sys.stdout.flush()


def say_result(card: ModelCard) -> None:
    """Say how good the finished model is, and on what its threshold rests."""
    say({name: value for name, value in card.metrics.items() if name.startswith("calibration_")})
    say({"threshold": card.threshold, "temperature": card.temperature})
    say({f"test_{name}": card.metrics[name] for name in FIGURES})


class Progress:
    """Says how far all trainings are, now and then, and after an epoch or a fold.

    Its methods may be called by several threads.
    """

    def __init__(
        self, total_steps: int, folds: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._total, self._steps = total_steps, 0
        self._folds, self._folds_done = folds, 0
        self._lock, self._clock, self._started = Lock(), clock, clock()

    def tick(self) -> None:
        """Count one step of any training, and tell of it now and then."""
        with self._lock:
            told = self._steps * TOLD // max(1, self._total)
            self._steps += 1
            if self._steps * TOLD // max(1, self._total) > told:
                steps = f"{self._steps}/{self._total}"
                say({"step": steps, "seconds_left": self._seconds_left()})

    def skip(self, steps: int) -> None:
        """Leave out steps of a training that an earlier job has done."""
        with self._lock:
            self._total -= steps

    def epoch(self, done: "EpochReport", _network: "Classifier") -> None:
        """Say where one network stands: the final one, or else the first of the folds'."""
        with self._lock:
            say(
                {
                    "epoch": f"{done.epoch}/{done.epochs}",
                    "train_loss": done.train_loss,
                    "seconds_left": self._seconds_left(),
                }
            )

    def fold(self, accuracy: float) -> None:
        """Say that one more fold is done, and the accuracy on the images it held out."""
        with self._lock:
            self._folds_done += 1
            say(
                {
                    "fold": f"{self._folds_done}/{self._folds}",
                    "fold_accuracy": accuracy,
                    "seconds_left": self._seconds_left(),
                }
            )

    def _seconds_left(self) -> int:
        each = (self._clock() - self._started) / max(1, self._steps)
        return round(each * (self._total - self._steps))
