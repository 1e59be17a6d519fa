"""Forecasts as CSV and Parquet, and the blocks that were held out."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from scones_core.errors import MalformedArtifact
from scones_demand.forecast_files import HELD_OUT, read_held_out, to_csv, to_parquet, write_held_out
from scones_demand.hours import Hours
from scones_demand.model import DemandModel
from scones_demand.validation import Validated


def test_both_formats_hold_the_same_hours_and_riders(model: DemandModel, asked: Hours) -> None:
    found = model.forecast(asked)
    lines = to_csv(asked, found).splitlines()
    table = pq.read_table(io.BytesIO(to_parquet(asked, found))).to_pydict()
    assert lines[0] == "datetime,count,low,high"
    assert len(lines) - 1 == len(asked) == len(table["datetime"])
    assert table["datetime"] == asked.times()
    np.testing.assert_allclose(
        [float(x.split(",")[1]) for x in lines[1:]], table["count"], atol=1e-4
    )


def held_out(model: DemandModel) -> Validated:
    array = np.array([1.0, 2.0])
    card = model.card
    return Validated((), np.array([3, 5]), array, array, array, card.widening, card.metrics)


def test_held_out_blocks_are_read_back_over_the_same_hours(
    model: DemandModel, known: Hours, tmp_path: Path
) -> None:
    write_held_out(tmp_path, known, held_out(model))
    found = read_held_out(tmp_path, known, model.card)
    assert found.position.tolist() == [3, 5]
    assert found.count.tolist() == [1.0, 2.0]
    assert len(found.folds) == 2


@pytest.mark.parametrize("text", ["", "hour\n1\n", "a,b,c,d\n1,2,3,nan\n", "a,b,c,d\nx,1,2,3\n"])
def test_a_file_that_is_no_such_table_is_refused(
    model: DemandModel, known: Hours, tmp_path: Path, text: str
) -> None:
    (tmp_path / HELD_OUT).write_text(text)
    with pytest.raises(MalformedArtifact, match="cannot be used"):
        read_held_out(tmp_path, known, model.card)


def test_blocks_of_other_hours_are_refused(
    model: DemandModel, known: Hours, tmp_path: Path
) -> None:
    write_held_out(tmp_path, replace(known, hour=known.hour + 1_000_000), held_out(model))
    with pytest.raises(MalformedArtifact, match="other hours than generated"):
        read_held_out(tmp_path, known, model.card)
