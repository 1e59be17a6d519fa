"""A reliability diagram: how often answers of a confidence are right, as an SVG image.

After DeGroot and Fienberg, The Comparison and Evaluation of Forecasters, 1983.
"""

from dataclasses import dataclass

import numpy as np

from scones_train.evaluation.metrics import CALIBRATION_BINS, Floats, Labels

SIDE, EDGE = 300, 40


@dataclass(frozen=True, slots=True)
class Bin:
    """The images of one range of confidence: how many, their mean confidence, the share right."""

    images: int
    confidence: float
    accuracy: float


def reliability(
    probabilities: Floats, labels: Labels, bins: int = CALIBRATION_BINS
) -> tuple[Bin, ...]:
    """Return the bins, of equal width over confidence, that hold an image, lowest first.

    Probabilities are (N, classes), labels (N,).
    """
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    return tuple(
        Bin(
            int((place == each).sum()),
            float(confidence[place == each].mean()),
            float(correct[place == each].mean()),
        )
        for each in np.unique(place)
    )


def to_svg(bins: tuple[Bin, ...], title: str) -> str:
    """Return the diagram: a circle for each bin, as large as its images are many.

    The diagonal is where confidence is what it says; above it answers are better than that.
    """
    total = max(1, sum(each.images for each in bins))
    circles = [
        f'<circle cx="{_x(each.confidence):.1f}" cy="{_y(each.accuracy):.1f}" '
        f'r="{3 + 17 * (each.images / total) ** 0.5:.1f}" fill="#1f6feb" fill-opacity="0.6">'
        f"<title>{each.images} images, confidence {each.confidence:.3f}, "
        f"right {each.accuracy:.3f}</title></circle>"
        for each in bins
    ]
    side = SIDE + 2 * EDGE
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" '
            'font-family="sans-serif" font-size="12" role="img">',
            f"<title>{title}</title>",
            f'<rect width="{side}" height="{side}" fill="#fff"/>',
            f'<path d="M{_x(0)} {_y(1)}V{_y(0)}H{_x(1)}" fill="none" stroke="#57606a"/>',
            f'<path d="M{_x(0)} {_y(0)}L{_x(1)} {_y(1)}" stroke="#57606a" stroke-dasharray="4"/>',
            *(_tick(value) for value in (0.0, 0.5, 1.0)),
            f'<text x="{side / 2}" y="{side - 6}" text-anchor="middle">confidence</text>',
            f'<text x="{EDGE}" y="16">share right: {title}</text>',
            *circles,
            "</svg>\n",
        ]
    )


def _x(value: float) -> float:
    return EDGE + SIDE * value


def _y(value: float) -> float:
    return EDGE + SIDE * (1 - value)


def _tick(value: float) -> str:
    return (
        f'<text x="{_x(value)}" y="{_y(0) + 15}" text-anchor="middle">{value:g}</text>'
        f'<text x="{_x(0) - 6}" y="{_y(value) + 4}" text-anchor="end">{value:g}</text>'
    )
