"""A shadow release compared with the one that serves, from what both answered to the same images.

SageMaker captures a shadow variant's answers next to the production variant's, under the same
inference id: https://docs.aws.amazon.com/sagemaker/latest/dg/shadow-tests.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from scones_core.errors import MonitorError
from scones_core.files import write_atomically
from scones_monitor import formats
from scones_monitor.captured_images import decode_image
from scones_monitor.captured_records import CapturedRecord
from scones_monitor.statistics import Interval, wilson_interval


@dataclass(frozen=True, slots=True)
class Pair:
    """One image that both answered; labels are those of the highest probability."""

    served: CapturedRecord
    shadow: CapturedRecord
    served_label: str
    shadow_label: str

    @property
    def agrees(self) -> bool:
        """Whether both name the same class."""
        return self.served_label == self.shadow_label

    @property
    def shift(self) -> float:
        """The confidence of the shadow minus that of the served model, -1 to 1."""
        return max(self.shadow.probabilities) - max(self.served.probabilities)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What both answered; the counts without a partner are of records of one side only.

    Confidences are means of the highest probability; `accepted` counts are at the threshold.
    """

    pairs: tuple[Pair, ...]
    served_alone: int
    shadow_alone: int
    threshold: float

    @property
    def agreed(self) -> int:
        """In how many pairs both name the same class."""
        return sum(pair.agrees for pair in self.pairs)

    @property
    def agreement(self) -> tuple[float, Interval]:
        """The share of pairs that agree, and its 95 % interval."""
        return self.agreed / len(self.pairs), wilson_interval(self.agreed, len(self.pairs))

    @property
    def disagreements(self) -> tuple[Pair, ...]:
        """The pairs that disagree, those first in which both are surest."""
        apart = [pair for pair in self.pairs if not pair.agrees]
        return tuple(sorted(apart, key=_certainty, reverse=True))

    @property
    def served_confidence(self) -> float:
        """The mean confidence of the model that serves."""
        return fmean(max(pair.served.probabilities) for pair in self.pairs)

    @property
    def shadow_confidence(self) -> float:
        """The mean confidence of the shadow."""
        return fmean(max(pair.shadow.probabilities) for pair in self.pairs)

    @property
    def shift(self) -> float:
        """The mean difference in confidence over the pairs, shadow minus served."""
        return fmean(pair.shift for pair in self.pairs)

    @property
    def served_accepted(self) -> int:
        """How many images the model that serves accepts."""
        return sum(max(pair.served.probabilities) >= self.threshold for pair in self.pairs)

    @property
    def shadow_accepted(self) -> int:
        """How many images the shadow would accept, at the same threshold."""
        return sum(max(pair.shadow.probabilities) >= self.threshold for pair in self.pairs)


def compare(
    served: Sequence[CapturedRecord],
    shadow: Sequence[CapturedRecord],
    labels: Sequence[str],
    threshold: float,
    shadow_labels: Sequence[str] = (),
) -> Comparison:
    """Return the comparison of two variants' records, paired by their inference ids.

    `shadow_labels` are the shadow's classes, by default the same. Raises MonitorError where no
    image was answered by both, and where a record has another number of probabilities than its
    release has classes.
    """
    by_id = {record.inference_id: record for record in shadow if record.inference_id}
    pairs = tuple(
        Pair(record, other, _label(record, labels), _label(other, shadow_labels or labels))
        for record in served
        if record.inference_id and (other := by_id.get(record.inference_id))
    )
    if not pairs:
        raise MonitorError(
            f"No image was answered by both releases: {len(served)} records of the one that "
            f"serves, {len(shadow)} of the shadow. Send images through the workflow, and wait "
            "until they are captured."
        )
    return Comparison(pairs, len(served) - len(pairs), len(shadow) - len(pairs), threshold)


def _label(record: CapturedRecord, labels: Sequence[str]) -> str:
    if len(record.probabilities) != len(labels):
        raise MonitorError(
            f"The captured record {record.event_id} has {len(record.probabilities)} "
            f"probabilities, and its release has {len(labels)} classes; it is another model's."
        )
    return labels[record.probabilities.index(max(record.probabilities))]


def _certainty(pair: Pair) -> float:
    return min(max(pair.served.probabilities), max(pair.shadow.probabilities))


MAX_PICTURES = 60


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two releases; latencies in milliseconds by name, empty where none is known.

    `own_classes` are those that the other one does not know.
    """

    release: str
    variant: str
    latency: Mapping[str, float]
    own_classes: tuple[str, ...] = ()


def write_shadow_page(
    path: Path,
    comparison: Comparison,
    served: Side,
    shadow: Side,
    *,
    environment: str,
    generated: datetime,
) -> None:
    """Write the page, whole or not at all."""
    shown = comparison.disagreements[:MAX_PICTURES]
    context = {
        "comparison": comparison,
        "served": served,
        "shadow": shadow,
        "environment": environment,
        "generated": generated,
        "pictures": [_picture(pair) for pair in shown],
        "hidden": len(comparison.disagreements) - len(shown),
        "latencies": sorted(served.latency.keys() | shadow.latency.keys()),
    }
    templates = Environment(
        loader=PackageLoader("scones_monitor"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals.update(formats=formats)
    write_atomically(path, templates.get_template("shadow.html.j2").render(context))


def _picture(pair: Pair) -> dict[str, Any]:
    image = decode_image(pair.served.image)
    return {
        "source": image.data_uri() if image else "",
        "served": f"{pair.served_label} {formats.confidence(max(pair.served.probabilities))}",
        "shadow": f"{pair.shadow_label} {formats.confidence(max(pair.shadow.probabilities))}",
        "inference_id": pair.served.inference_id,
    }
