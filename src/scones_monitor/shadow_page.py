"""The page of a shadow's comparison: one HTML file that loads nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from scones_core.files import write_atomically
from scones_monitor import formats
from scones_monitor.images import decode_image
from scones_monitor.shadow import Comparison, Pair

MAX_PICTURES = 60


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two releases; latencies in milliseconds by name, empty where none is known."""

    release: str
    variant: str
    latency: Mapping[str, float]


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
