"""How a confusion matrix is printed: whole where it fits, else what is confused most often."""

from collections.abc import Sequence

from scones_core.model_card import ModelCard
from scones_toolkit.console import Console

MAX_COLUMNS, MAX_ROWS = 10, 10


def show(console: Console, card: ModelCard) -> None:
    """Print the confusion matrix of a model on its test images, which its card has whole."""
    labels, matrix = card.labels, card.confusion_matrix
    if len(labels) <= MAX_COLUMNS:
        rows = [(name, *row) for name, row in zip(labels, matrix, strict=True)]
        console.grid("In training: true class by answer", ("", *labels), rows)
        return
    found = confused(labels, matrix)
    title = f"In training: what is confused most, of {len(labels)} classes (all in model.json)"
    if found:
        console.grid(title, ("true class", "answer", "test images"), found)
    else:
        console.say("  In training: no test image was confused.")


def confused(
    labels: Sequence[str], matrix: Sequence[Sequence[int]], most: int = MAX_ROWS
) -> list[tuple[str, str, int]]:
    """Return (true class, answered class, images) of wrong answers, the most frequent first."""
    wrong = [
        (labels[i], labels[j], count)
        for i, row in enumerate(matrix)
        for j, count in enumerate(row)
        if i != j and count
    ]
    return sorted(wrong, key=lambda each: -each[2])[:most]
