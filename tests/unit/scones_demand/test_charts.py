"""Charts are whole SVG, whatever names and numbers they are given."""

from datetime import datetime, timedelta
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from scones_demand.charts import bars, week


def drawing(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - what the module itself drew


def test_a_bar_is_as_long_as_its_value_and_its_name_is_escaped() -> None:
    root = drawing(bars("Title", {"<script>": 2.0, "b": 1.0, "c": -1.0}))
    widths = [float(bar.attrib["width"]) for bar in root.iter("rect")]
    assert widths[0] == pytest.approx(2 * widths[1])
    assert widths[2] == 0
    assert "<script>" not in bars("Title", {"<script>": 2.0})


def test_no_line_crosses_a_gap() -> None:
    start = datetime(2023, 1, 1)
    times = [start + timedelta(hours=h) for h in (0, 1, 2, 10, 11)]
    values = np.arange(5.0)
    drawn = week("Week", times, actual=values, forecast=values, low=values, high=values + 1)
    root = drawing(drawn)
    lengths = [len(line.attrib["points"].split()) for line in root.iter("polyline")]
    assert lengths == [3, 3, 2, 2]
    assert len(list(root.iter("polygon"))) == 2
    ahead = week("Week", times, actual=None, forecast=values, low=values, high=values)
    assert len(list(drawing(ahead).iter("polyline"))) == 2
