import re
from collections.abc import Callable

from scones_monitor.join import Joined
from scones_monitor.matrix import confusion_matrix


def test_the_cells_hold_the_counts_in_the_order_of_the_labels(row: Callable[..., Joined]) -> None:
    rows = [row("bicycle", 0.9, "bicycle")] * 3 + [row("motorcycle", 0.9, "bicycle")]

    drawing = confusion_matrix(rows, ("bicycle", "motorcycle"))

    assert re.findall(r'class="cell-count"[^>]*>([^<]*)<', drawing) == ["3", "1", "0", "0"]
    assert "bicycle answered as motorcycle: 1 of 4" in drawing
    assert "75.0\u202f%" in drawing


def test_many_classes_lose_their_figures_and_keep_their_tooltips(
    row: Callable[..., Joined],
) -> None:
    labels = tuple(f"class number {i}" for i in range(40))

    drawing = confusion_matrix([row(labels[3], 0.9, labels[7])], labels)

    assert "cell-count" not in drawing
    assert drawing.count("<rect") == 1600
    assert "class number 7 answered as class number 3: 1 of 1" in drawing
