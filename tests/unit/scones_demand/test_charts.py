"""Charts are whole SVG, whatever names and numbers they are given."""

from datetime import datetime, timedelta
from xml.etree import ElementTree as ET

import numpy as np

from scones_demand.charts import Bar, bars, key, week


def drawing(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - what the module itself drew


def test_a_bar_is_as_long_as_its_value_and_its_name_is_escaped() -> None:
    values = [Bar("<script>", 2.0, 1200), Bar("b", 1.0, 7), Bar("c", -1.0)]
    root = drawing(bars("RMSLE", values, counted="hours"))
    styles = [bar.attrib["style"] for bar in root.iter("div")]
    assert styles == ["width:100.0%", "width:50.0%", "width:0.0%"]
    cells = [[cell.text for cell in row] for row in root.iter("tr")]
    assert cells[0][2:] == ["RMSLE", "hours"]
    assert cells[1][2:] == ["2.000", "1,200"]
    assert "<script>" not in bars("RMSLE", values)


def test_lines_are_told_apart_by_samples_with_their_names() -> None:
    shown = drawing(key())
    classes = {part.attrib.get("class") for part in shown.iter()}
    assert {"band", "forecast", "actual"} <= classes


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
