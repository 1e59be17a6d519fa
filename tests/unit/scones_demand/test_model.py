"""The model folder: written, read back, and refused where it is none."""

import json
from pathlib import Path

import numpy as np
import pytest

from scones_core.errors import DatasetError, MalformedArtifact
from scones_demand.hours import Hours
from scones_demand.model import CARD, TREES, DemandModel


def test_a_model_that_is_read_back_answers_the_same(
    model: DemandModel, asked: Hours, tmp_path: Path
) -> None:
    model.write(tmp_path)
    read = DemandModel.read(tmp_path)
    for before, after in zip(model.forecast(asked), read.forecast(asked), strict=True):
        np.testing.assert_array_equal(before, after)
    assert read.card.metrics == model.card.metrics


def test_no_forecast_is_below_zero_and_the_bounds_hold_it(model: DemandModel, asked: Hours) -> None:
    found = model.forecast(asked)
    assert (found.low >= 0).all()
    assert (found.low <= found.riders).all()
    assert (found.riders <= found.high).all()
    assert np.isfinite(found.high).all()


def test_days_that_were_trained_on_are_refused(
    model: DemandModel, known: Hours, asked: Hours
) -> None:
    model.require_new(asked)
    with pytest.raises(DatasetError, match=r"column 'datetime': 2023-01-01 00:00:00 is of a day"):
        model.require_new(known)


def test_a_folder_that_holds_no_model_is_refused(model: DemandModel, tmp_path: Path) -> None:
    with pytest.raises(MalformedArtifact, match=r"demand\.json cannot be read"):
        DemandModel.read(tmp_path)
    model.write(tmp_path)
    (tmp_path / TREES).write_bytes(b"no trees")
    with pytest.raises(MalformedArtifact, match="not valid safetensors"):
        DemandModel.read(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("features", ["other"]),
        ("members", []),
        ("members", [["password"]]),
        ("coverage", "much"),
        ("widening", 10**400),
        ("metrics", {"rmsle": None}),
        ("days", "x"),
    ],
)
def test_a_card_that_describes_no_model_is_refused(
    model: DemandModel, tmp_path: Path, key: str, value: object
) -> None:
    model.write(tmp_path)
    card = json.loads((tmp_path / CARD).read_text())
    (tmp_path / CARD).write_text(json.dumps({**card, key: value}))
    with pytest.raises(MalformedArtifact, match="describes no demand model"):
        DemandModel.read(tmp_path)
