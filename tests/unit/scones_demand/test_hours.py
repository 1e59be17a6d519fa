"""Hours from a CSV file: what is read, what is counted, what is refused, and where."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scones_core.errors import DatasetError
from scones_demand.generator import generate_hours
from scones_demand.hours import parse_hours, read_hours, write_hours

HEADER = (
    "datetime,season,holiday,workingday,weather,temp,atemp,humidity,windspeed,"
    "casual,registered,count"
)
ROW = "2011-01-01 {:02}:00:00,1,0,0,{},9.84,14.395,81,0.0,3,13,16"


def table(*rows: str, header: str = HEADER) -> io.StringIO:
    return io.StringIO("\n".join([header, *rows]) + "\n")


def test_hours_that_are_written_are_read_back(tmp_path: Path) -> None:
    hours = generate_hours(days=3)
    write_hours(tmp_path / "a.csv", hours)
    found = read_hours(tmp_path / "a.csv")
    assert found.known
    np.testing.assert_array_equal(found.hour, hours.hour)
    for name, values in hours.values.items():
        np.testing.assert_allclose(found.values[name], values)


def test_a_write_that_breaks_off_leaves_the_hours_that_were_there(tmp_path: Path) -> None:
    path, hours = tmp_path / "a.csv", generate_hours(days=3)
    write_hours(path, hours)
    before = path.read_bytes()
    cut = {**hours.values, "temp": hours.values["temp"][:5]}
    with pytest.raises(IndexError):
        write_hours(path, replace(hours, values=cut))
    assert [each.name for each in tmp_path.iterdir()] == ["a.csv"]
    assert path.read_bytes() == before


def test_what_is_out_of_order_is_counted_and_the_rest_used() -> None:
    found = parse_hours(
        table(
            ROW.format(3, 1),
            ROW.format(0, 9),
            ROW.format(0, 1),
            ROW.format(1, 2),
        ),
        "a.csv",
    )
    assert [time.hour for time in found.times()] == [0, 1, 3]
    assert np.isnan(found.values["weather"][0])
    excluded = found.excluded
    assert (excluded.rows, excluded.duplicates, excluded.unordered) == (4, 1, 2)
    assert (excluded.unknown_weather, excluded.gaps) == (1, 1)
    assert sum(excluded.counts().values()) == 5


def without_column(name: str) -> io.StringIO:
    return table(ROW.format(0, 1), header=HEADER.replace(name, "other"))


def changed(old: str, new: str) -> io.StringIO:
    return table(ROW.format(0, 1), ROW.format(1, 1).replace(old, new))


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (lambda: io.StringIO(""), "a.csv is empty"),
        (table, "a header and no rows"),
        (
            lambda: io.StringIO(table().getvalue().replace(",", ";")),
            r"line 1 separates its columns by ';': write it with commas",
        ),
        (lambda: without_column("windspeed"), r"line 1 has no column 'windspeed'"),
        (lambda: without_column("registered"), r"line 1 has no column 'registered'"),
        (lambda: table(header=f"{HEADER},temp"), r"line 1 has the column 'temp' twice"),
        # A quoted line end lets one row go on over many lines.
        (
            lambda: table(header=HEADER + ',"\n"' * 1000),
            r"line 1 has 1,012 columns, over 1,000; it is no such table",
        ),
        (lambda: changed("9.84", "warm"), r"line 3, column 'temp': 'warm' is not a number"),
        (lambda: changed("9.84", "nan"), r"line 3, column 'temp': 'nan' is not a number"),
        (lambda: changed(",3,13,16", ",-3,13,10"), r"line 3, column 'casual': '-3' is not a count"),
        (lambda: changed(",3,13,16", ",3,13,17"), r"line 3, column 'count': 17 is not the sum"),
        (lambda: changed(",3,13,16", ",2.5,13,15.5"), r"'casual': '2.5' is not a whole number"),
        (lambda: changed(",81,", ",181,"), r"line 3, column 'humidity': '181' is not percent"),
        (lambda: changed("2011-01-01 01", "01.01.2011 01"), r"line 3, column 'datetime': '01.01"),
        (lambda: changed("01:00:00", "01:00:00-05:00"), r"line 3, column 'datetime'.*local time"),
        (lambda: changed("2011-01-01 01", "2010-W52-6 01"), r"line 3, column 'datetime'.*local"),
        (lambda: changed("01:00:00", "01:00+00"), r"line 3, column 'datetime'.*local time"),
        (lambda: changed("01:00:00", "010000.5"), r"line 3, column 'datetime'.*local time"),
        (lambda: changed("01:00:00", "01:30:00"), r"line 3, column 'datetime'.*full hour"),
        (lambda: changed("2011-01-01 01", "1066-01-01 01"), r"is not from 1990 to 2089"),
        (lambda: table(ROW.format(0, 1)[:30]), r"line 2 ends before its column 'atemp'"),
        (lambda: table("x" * 5000), r"line 2 has over 4,096 characters"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_by_line_and_column(
    file: Callable[[], io.StringIO], sentence: str
) -> None:
    with pytest.raises(DatasetError, match=sentence) as caught:
        parse_hours(file(), "a.csv", known=True)
    assert str(caught.value).startswith("a.csv")


def test_a_file_without_demand_is_read_where_none_is_asked_for() -> None:
    header = HEADER.removesuffix(",casual,registered,count")
    found = parse_hours(table(ROW.format(0, 1).removesuffix(",3,13,16"), header=header), "a.csv")
    assert not found.known
    with pytest.raises(DatasetError, match="no column 'casual'"):
        parse_hours(table(ROW.format(0, 1), header=header), "a.csv", known=True)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"datetime\n\n\xff\xfe\x00")
    with pytest.raises(DatasetError, match="line 3 is not UTF-8"):
        read_hours(tmp_path / "a.csv")
    with pytest.raises(DatasetError, match="cannot be read: No such file"):
        read_hours(tmp_path / "b.csv")


def test_a_quote_that_is_not_closed_is_found_where_it_opens() -> None:
    rows = [ROW.format(0, 1), '"' + ROW.format(1, 1), *[ROW.format(2, 1)] * 3000]
    with pytest.raises(DatasetError, match=r"line 3 .*is a quote not closed"):
        parse_hours(table(*rows), "a.csv")


def test_an_hour_knows_its_line_also_when_rows_are_sorted() -> None:
    found = parse_hours(table(ROW.format(5, 1), ROW.format(3, 1)), "a.csv")
    assert found.place(0) == "a.csv, line 3, column 'datetime': 2011-01-01 03:00:00"
    assert "line 2" in found.where(found.hour % 24 == 5).place(0)


def test_repeated_rows_take_no_memory() -> None:
    rows = (ROW.format(i % 24, 1) for i in range(3000))
    found = parse_hours(table(*rows), "a.csv")
    assert len(found) == 24
    assert found.excluded.duplicates == 2976
