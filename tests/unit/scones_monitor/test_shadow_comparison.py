import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scones_core.errors import MonitorError
from scones_monitor.captured_records import CapturedRecord
from scones_monitor.shadow_comparison import Comparison, Side, compare, write_shadow_page
from tests.support.html_page import Page

LABELS = ("bicycle", "motorcycle")
NOW = datetime(2026, 11, 21, 3, 4, 5, tzinfo=UTC)


def record(inference_id: str | None, first: float, variant: str = "AllTraffic") -> CapturedRecord:
    return CapturedRecord(
        event_id=f"{variant}-{inference_id}",
        inference_id=inference_id,
        time=NOW,
        content_type="image/png",
        image=b"no image",
        probabilities=(first, 1 - first),
        variant=variant,
    )


def comparison() -> Comparison:
    served = [
        record("a", 0.9),
        record("b", 0.8),
        record("c", 0.6),
        record("d", 0.7),
        record(None, 1),
    ]
    shadow = [record("a", 0.95), record("b", 0.1), record("c", 0.45), record("e", 0.5)]
    return compare(served, shadow, LABELS, 0.85)


def test_records_are_paired_by_their_inference() -> None:
    found = comparison()
    assert [pair.served.inference_id for pair in found.pairs] == ["a", "b", "c"]
    assert (found.served_alone, found.shadow_alone) == (2, 1)


def test_agreement_confidence_and_acceptance_are_those_of_the_pairs() -> None:
    found = comparison()
    share, bounds = found.agreement
    assert share == pytest.approx(1 / 3)
    assert bounds.low < share < bounds.high
    assert found.served_confidence == pytest.approx((0.9 + 0.8 + 0.6) / 3)
    assert found.shadow_confidence == pytest.approx((0.95 + 0.9 + 0.55) / 3)
    assert found.shift == pytest.approx(found.shadow_confidence - found.served_confidence)
    assert (found.served_accepted, found.shadow_accepted) == (1, 2)


def test_the_surest_disagreement_comes_first() -> None:
    assert [pair.served.inference_id for pair in comparison().disagreements] == ["b", "c"]


def test_without_a_common_image_there_is_nothing_to_compare() -> None:
    with pytest.raises(MonitorError, match="1 records of the one that serves, 1 of the shadow"):
        compare([record("a", 0.5)], [record("b", 0.5)], LABELS, 0.5)


def test_a_record_of_another_model_is_named() -> None:
    with pytest.raises(MonitorError, match="its release has 3 classes"):
        compare([record("a", 0.5)], [record("a", 0.5)], (*LABELS, "scooter"), 0.5)


def test_each_release_answers_with_its_own_classes(tmp_path: Path) -> None:
    own = ("motorcycle", "scooter")
    found = compare([record("a", 0.1)], [record("a", 0.9, "Shadow")], LABELS, 0.5, own)
    assert [(p.served_label, p.shadow_label) for p in found.pairs] == [("motorcycle",) * 2]
    path, served = tmp_path / "shadow.html", Side("r1", "AllTraffic", {}, ("bicycle",))
    shadow = Side("r2", "Shadow", {}, ("scooter",))
    write_shadow_page(path, found, served, shadow, environment="dev", generated=NOW)
    assert "does not know</th><td>bicycle</td><td>scooter</td>" in path.read_text()


def test_the_page_shows_both_sides_and_loads_nothing(tmp_path: Path) -> None:
    path = tmp_path / "shadow.html"
    write_shadow_page(
        path,
        comparison(),
        Side("r1", "AllTraffic", {"latency p50": 4.25}),
        Side("<r2>", "Shadow", {}),
        environment="dev",
        generated=NOW,
    )
    page = path.read_text()
    assert "they agree on 33.3" in page
    assert "&lt;r2&gt;" in page
    assert "<td>4.2</td><td>unknown</td>" in page
    assert page.count("no image") == 2
    assert Page(page).cut_tables() == []
    assert not re.findall(r"""(?:src|href)=["']?(?!data:|#)[a-z]+:?//""", page)
