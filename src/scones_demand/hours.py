"""Hourly records from a CSV file: read row by row, checked, in the order of time.

The columns are those of the competition "Bike Sharing Demand": `datetime` (local time,
`2011-01-20 13:00:00`), `season` 1 to 4, `holiday` and `workingday` 0 or 1, `weather` 1 (clear) to
4 (heavy rain or snow), `temp` and `atemp` in degrees Celsius, `humidity` in percent, `windspeed`;
and where the demand is known `casual`, `registered` and their sum `count`.
"""

import csv
import io
import math
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from scones_core.errors import DatasetError
from scones_core.files import write_atomically

WEATHER = ("season", "holiday", "workingday", "weather", "temp", "atemp", "humidity", "windspeed")
COUNTS = ("casual", "registered", "count")
EPOCH = datetime(1970, 1, 1)
_EPOCH_HOURS = EPOCH.toordinal() * 24
FORMAT = "%Y-%m-%d %H:%M:%S"
FORMAT_CHARACTERS = 19
# An hourly series has so many hours at most: what is kept of a file is bounded by it.
FIRST_YEAR, LAST_YEAR = 1990, 2089
_FIRST_HOUR = datetime(FIRST_YEAR, 1, 1).toordinal() * 24 - _EPOCH_HOURS
_LAST_HOUR = datetime(LAST_YEAR + 1, 1, 1).toordinal() * 24 - _EPOCH_HOURS
MAX_LINE_CHARACTERS = 4096
# A quoted cell may have line ends in it, so that a row has many lines.
MAX_COLUMNS = 1000
MAX_COUNT = 1_000_000
ALLOWED: Mapping[str, tuple[float, float, str]] = {
    "season": (1, 4, "a season from 1 to 4"),
    "holiday": (0, 1, "0 or 1"),
    "workingday": (0, 1, "0 or 1"),
    "temp": (-90, 60, "degrees Celsius from -90 to 60"),
    "atemp": (-90, 80, "degrees Celsius from -90 to 80"),
    "humidity": (0, 100, "percent from 0 to 100"),
    "windspeed": (0, 500, "a speed from 0 to 500"),
    **dict.fromkeys(COUNTS, (0, MAX_COUNT, f"a count from 0 to {MAX_COUNT:,}")),
}
WHOLE = {"season", "holiday", "workingday", "weather", *COUNTS}
CODES = (1, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class Exclusions:
    """What a file has besides usable rows; each is counted, none is an error.

    `duplicates` are further rows of an hour, such as the repeated one at the end of daylight
    saving time: the first is kept. `unordered` rows stood behind a later hour and are sorted.
    `unknown_weather` rows are kept with their weather unknown. `gaps` are hours that are missing
    between the first and the last.
    """

    rows: int = 0
    duplicates: int = 0
    unordered: int = 0
    unknown_weather: int = 0
    gaps: int = 0

    def counts(self) -> dict[str, int]:
        """Return the counts that are not zero, by what they are."""
        named = {
            "further rows of the same hour, left out": self.duplicates,
            "rows out of order, sorted": self.unordered,
            "rows whose weather code is unknown, kept without it": self.unknown_weather,
            "hours missing between the first and the last": self.gaps,
        }
        return {text: count for text, count in named.items() if count}


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours in the order of time, each once.

    `hour` has int64 hours since 1970-01-01 00:00 local time, shape (n,). `values` has a float64
    array of shape (n,) for each column of WEATHER, and of COUNTS where the demand is known; an
    unknown weather is NaN. `line` has each hour's line in the file, int64 of shape (n,), None where
    there is no file.
    """

    name: str
    hour: NDArray[np.int64]
    values: Mapping[str, NDArray[np.float64]]
    excluded: Exclusions = Exclusions()
    line: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.hour)

    @property
    def known(self) -> bool:
        """Whether the hours have their demand."""
        return "count" in self.values

    @property
    def day(self) -> NDArray[np.int64]:
        """Days since 1970-01-01, shape (n,)."""
        return self.hour // 24

    def times(self) -> list[datetime]:
        """Return each hour as a local time."""
        return [EPOCH + timedelta(hours=int(hour)) for hour in self.hour]

    def month(self) -> NDArray[np.int64]:
        """Return months since 1970-01, shape (n,)."""
        days = self.day.astype("datetime64[D]")
        return np.asarray(days.astype("datetime64[M]").astype(np.int64))

    def day_of_month(self) -> NDArray[np.int64]:
        """Return 1 to 31, shape (n,)."""
        days = self.day.astype("datetime64[D]")
        first = days.astype("datetime64[M]").astype("datetime64[D]")
        return np.asarray((days - first).astype(np.int64) + 1)

    def where(self, mask: NDArray[np.bool_]) -> Self:
        """Return the hours for which a mask of shape (n,) is true."""
        kept = {name: value[mask] for name, value in self.values.items()}
        line = None if self.line is None else self.line[mask]
        return replace(self, hour=self.hour[mask], values=kept, line=line)

    def place(self, position: int) -> str:
        """Return where an hour's time stands, for messages: file, line, column and the time."""
        line = "" if self.line is None else f", line {self.line[position]}"
        time = EPOCH + timedelta(hours=int(self.hour[position]))
        return f"{self.name}{line}, column 'datetime': {time.strftime(FORMAT)}"


def read_hours(path: Path, *, known: bool | None = None) -> Hours:
    """Return the hours of a CSV file; it is read row by row.

    With `known` the demand must be there, with False it is not read; None reads it where it is.
    Raises DatasetError, naming file, line and column, for a row that cannot be used.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return parse_hours(file, str(path), known=known)
    except UnicodeDecodeError as error:
        where = f"{path}, line {_undecodable_line(path)}"
        raise DatasetError(f"{where} is not UTF-8 text: write it as CSV in UTF-8.") from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.") from error


def _undecodable_line(path: Path) -> int:
    """Return the number of the first line that is not UTF-8; each is read up to a limit."""
    number = 1
    with path.open("rb") as file:
        while line := file.readline(MAX_LINE_CHARACTERS):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                break
            number += line.endswith(b"\n")
    return number


def parse_hours(file: IO[str], name: str, *, known: bool | None = None) -> Hours:
    """Return the hours of an open CSV file; `name` is its name in messages. See `read_hours`."""
    rows = csv.reader(_lines(file, name))
    _, header = next(_checked(rows, name), (0, None))
    if header is None:
        raise DatasetError(
            f"{name} is empty: it needs a header with datetime, {', '.join(WEATHER)}."
        )
    wanted, at = _columns(header, name, known)
    reader = _Reader(name, wanted, at)
    for line, row in _checked(rows, name):
        reader.take(row, line)
    return reader.hours()


def _lines(file: IO[str], name: str) -> Iterator[str]:
    number = 0
    while line := file.readline(MAX_LINE_CHARACTERS):
        number += 1
        if len(line) == MAX_LINE_CHARACTERS:
            raise DatasetError(
                f"{name}, line {number} has over {MAX_LINE_CHARACTERS:,} characters; it is no "
                "such table."
            )
        yield line


def _checked(rows: Any, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not blank, and the line that it begins on; raises DatasetError."""
    while True:
        # A quote that is never closed takes in all lines behind it.
        line = rows.line_num + 1
        try:
            row = next(rows, None)
        except csv.Error as error:
            raise DatasetError(
                f"{name}, line {line} is not CSV: {error}; is a quote not closed?"
            ) from error
        if row is None:
            return
        if row:
            yield line, row


def _columns(
    header: list[str], name: str, known: bool | None
) -> tuple[tuple[str, ...], dict[str, int]]:
    """Return the columns to read and where each stands; raises DatasetError."""
    found = [title.strip() for title in header]
    if len(found) > MAX_COLUMNS:
        raise DatasetError(
            f"{name}, line 1 has {len(found):,} columns, over {MAX_COLUMNS:,}; it is no such table."
        )
    if twice := [title for title, count in Counter(found).items() if count > 1]:
        raise DatasetError(f"{name}, line 1 has the column {min(twice)!r} twice.")
    counted = set(COUNTS) <= set(found) if known is None else known
    wanted = (*WEATHER, *(COUNTS if counted else ()))
    if len(found) == 1 and (separator := next((c for c in ";\t|" if c in found[0]), None)):
        raise DatasetError(
            f"{name}, line 1 separates its columns by {separator!r}: write it with commas, and "
            "with points in decimal numbers."
        )
    for title in ("datetime", *wanted):
        if title not in found:
            raise DatasetError(
                f"{name}, line 1 has no column {title!r}; it needs datetime, {', '.join(wanted)}."
            )
    return wanted, {title: found.index(title) for title in ("datetime", *wanted)}


def _local_time(text: str) -> datetime | None:
    """Return the time that a text in FORMAT stands for, None for another format.

    `datetime.strptime` takes ten times as long, which counts with millions of rows.
    """
    if len(text) != FORMAT_CHARACTERS or text[4:11:3] + text[13:17:3] != "-- ::":
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


class _Reader:
    """Collects rows in arrays of numbers, and counts what is out of order."""

    def __init__(self, name: str, wanted: tuple[str, ...], at: Mapping[str, int]) -> None:
        self._name, self._at, self._wanted = name, at, wanted
        self._positions = [at[title] for title in wanted]
        known = {**ALLOWED, "weather": (CODES[0], CODES[-1], "")}
        self._limits = [(*known[title][:2], title in WHOLE) for title in wanted]
        self._last = max(at.values())
        self._hours, self._lines = array("q"), array("q")
        self._columns = {title: array("d") for title in wanted}
        # A flag for each hour that there may be: a set would take fifty times as much.
        self._seen = bytearray(_LAST_HOUR - _FIRST_HOUR)
        self._rows = self._duplicates = self._unordered = self._unknown = 0
        self._latest = -1

    def take(self, row: list[str], line: int) -> None:
        """Read one row; raises DatasetError, naming its line and column."""
        self._rows += 1
        if len(row) <= self._last:
            title = next(t for t, i in self._at.items() if i >= len(row))
            raise DatasetError(f"{self._name}, line {line} ends before its column {title!r}.")
        hour = self._hour(row[self._at["datetime"]], line)
        values = self._numbers(row, line)
        if "count" in self._columns:
            casual, registered, count = values[-3:]
            if casual + registered != count:
                raise DatasetError(
                    f"{self._name}, line {line}, column 'count': {count:g} is not the sum of "
                    f"casual {casual:g} and registered {registered:g}."
                )
        if self._seen[hour - _FIRST_HOUR]:
            self._duplicates += 1
            return
        self._unknown += math.isnan(values[self._wanted.index("weather")])
        self._unordered += hour < self._latest
        self._latest = max(self._latest, hour)
        self._seen[hour - _FIRST_HOUR] = 1
        self._hours.append(hour)
        self._lines.append(line)
        for title, value in zip(self._wanted, values, strict=True):
            self._columns[title].append(value)

    def _hour(self, text: str, line: int) -> int:
        time = _local_time(text.strip())
        if time is None:
            constraint = "is not a local time like 2011-01-20 13:00:00"
        elif time.minute or time.second:
            constraint = "is not a full hour"
        elif not FIRST_YEAR <= time.year <= LAST_YEAR:
            constraint = f"is not from {FIRST_YEAR} to {LAST_YEAR}"
        else:
            return time.toordinal() * 24 + time.hour - _EPOCH_HOURS
        raise self._refused("datetime", text, line, constraint)

    def _numbers(self, row: list[str], line: int) -> list[float]:
        """Return the numbers of a row; the sentence about one that is none is found slowly."""
        try:
            values = [float(row[position]) for position in self._positions]
        except ValueError:
            values = []
        for value, (low, high, whole) in zip(values, self._limits, strict=False):
            if not low <= value <= high or (whole and value != int(value)):
                break
        else:
            if values:
                return values
        return [self._number(title, row[self._at[title]], line) for title in self._wanted]

    def _number(self, title: str, text: str, line: int) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self._refused(title, text, line, "is not a number")
        if title in WHOLE and value != int(value):
            raise self._refused(title, text, line, "is not a whole number")
        if title == "weather":
            return value if value in CODES else math.nan
        low, high, constraint = ALLOWED[title]
        if not low <= value <= high:
            raise self._refused(title, text, line, f"is not {constraint}")
        return value

    def _refused(self, title: str, text: str, line: int, why: str) -> DatasetError:
        where = f"{self._name}, line {line}, column {title!r}"
        return DatasetError(f"{where}: {text[:40]!r} {why}.")

    def hours(self) -> Hours:
        """Return what was read, sorted; raises DatasetError where there is no row."""
        if not self._hours:
            raise DatasetError(f"{self._name} has a header and no rows.")
        hour = np.frombuffer(self._hours, np.int64)
        order = np.argsort(hour, kind="stable")
        span = int(hour.max() - hour.min()) + 1
        return Hours(
            self._name,
            hour[order],
            {title: np.frombuffer(v, np.float64)[order] for title, v in self._columns.items()},
            Exclusions(
                self._rows, self._duplicates, self._unordered, self._unknown, span - len(hour)
            ),
            np.frombuffer(self._lines, np.int64)[order],
        )


def write_hours(path: Path, hours: Hours) -> None:
    """Replace a file's content, in one step, with hours as CSV that `read_hours` reads back.

    A file with a part of them would be a table of fewer hours, and read as one.
    """
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["datetime", *hours.values])
    columns = list(hours.values.values())
    for position, time in enumerate(hours.times()):
        rows.writerow([time.strftime(FORMAT), *(_cell(column[position]) for column in columns)])
    write_atomically(path, text.getvalue())


def _cell(value: float) -> str:
    # Another code than those there are: what reads it counts it as unknown again.
    return "0" if math.isnan(value) else f"{value:.10g}"
