"""AWS's cron expressions: minutes, hours, day of month, month, day of week, year.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
"""

import calendar
import datetime
import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
# AWS counts the days of the week from Sunday, which is 1.
_DAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
_YEARS = range(1970, 2200)
_ANY = "?"
_DIGITS = 4

DayTest = Callable[[datetime.date], bool]


class ExpressionError(ValueError):
    """A schedule expression that AWS does not take."""


@dataclass(frozen=True, slots=True)
class Cron:
    """The times of an expression."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: frozenset[int]
    years: frozenset[int]
    is_day: DayTest

    def after(self, at: datetime.datetime, zone: ZoneInfo) -> datetime.datetime | None:
        """Return the first time later than `at`, in UTC; None when there is none any more.

        A local time that the change to summer time leaves out is left out here too; one that
        the change back repeats counts once.
        """
        day = at.astimezone(zone).date()
        for found in self._days(day):
            for time in self._times(found, zone):
                if time > at:
                    return time
        return None

    def _days(self, first: datetime.date) -> Iterator[datetime.date]:
        for year in range(first.year, max(self.years) + 1):
            for month in range(first.month if year == first.year else 1, 13):
                if year not in self.years or month not in self.months:
                    continue
                begin = first.day if (year, month) == (first.year, first.month) else 1
                for day in range(begin, calendar.monthrange(year, month)[1] + 1):
                    date = datetime.date(year, month, day)
                    if self.is_day(date):
                        yield date

    def _times(self, day: datetime.date, zone: ZoneInfo) -> Iterator[datetime.datetime]:
        for hour in self.hours:
            for minute in self.minutes:
                local = datetime.datetime.combine(day, datetime.time(hour, minute), zone)
                time = local.astimezone(datetime.UTC)
                if time.astimezone(zone).hour == hour:
                    yield time


@functools.lru_cache(maxsize=256)
def parsed(text: str) -> Cron:
    """Return the expression's times; `text` has the six fields. Raises ExpressionError."""
    fields = text.upper().split()
    if len(fields) != 6:
        raise ExpressionError(f"cron({text}) has {len(fields)} fields, not 6")
    minutes, hours, days, months, weekdays, years = fields
    if (days == _ANY) == (weekdays == _ANY):
        raise ExpressionError(f"cron({text}): exactly one of the two days must be ?")
    return Cron(
        minutes=tuple(sorted(_numbers(minutes, 0, 59))),
        hours=tuple(sorted(_numbers(hours, 0, 23))),
        months=frozenset(_numbers(months, 1, 12, _MONTHS)),
        years=frozenset(_numbers(years, _YEARS.start, _YEARS.stop - 1)),
        is_day=_month_days(days) if weekdays == _ANY else _week_days(weekdays),
    )


def _numbers(field: str, low: int, high: int, names: dict[str, int] | None = None) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, last = _span(span, low, high, names or {})
        if step and "-" not in span:
            last = high
        found.update(range(first, last + 1, _number(step, 1, high, {}) if step else 1))
    return found


def _span(span: str, low: int, high: int, names: dict[str, int]) -> tuple[int, int]:
    if span == "*":
        return low, high
    first, _, last = span.partition("-")
    begin = _number(first, low, high, names)
    end = _number(last, low, high, names) if last else begin
    if end < begin:
        raise ExpressionError(f"{span} ends before it begins")
    return begin, end


def _number(text: str, low: int, high: int, names: dict[str, int]) -> int:
    is_number = text.isascii() and text.isdecimal() and len(text) <= _DIGITS
    number = names.get(text, int(text) if is_number else -1)
    if not low <= number <= high:
        raise ExpressionError(f"{text or 'nothing'} is not between {low} and {high}")
    return number


def _month_days(field: str) -> DayTest:
    if field == "L":
        return lambda day: day.day == _last(day)
    if field == "LW":
        return lambda day: day == _weekday_near(day.replace(day=_last(day)))
    if re.fullmatch(r"\d+W", field):
        number = _number(field[:-1], 1, 31, {})
        return lambda day: number <= _last(day) and day == _weekday_near(day.replace(day=number))
    days = _numbers(field, 1, 31)
    return lambda day: day.day in days


def _last(day: datetime.date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _weekday_near(day: datetime.date) -> datetime.date:
    """Return the weekday next to a day, in the same month."""
    if day.weekday() == calendar.SATURDAY:
        step = 2 if day.day == 1 else -1
    elif day.weekday() == calendar.SUNDAY:
        step = -2 if day.day == _last(day) else 1
    else:
        return day
    return day + datetime.timedelta(days=step)


def _week_days(field: str) -> DayTest:
    if "#" in field:
        name, _, text = field.partition("#")
        weekday, which = _number(name, 1, 7, _DAYS), _number(text, 1, 5, {})
        return lambda day: _day_of_week(day) == weekday and (day.day - 1) // 7 + 1 == which
    if field != "L" and field.endswith("L"):
        weekday = _number(field[:-1], 1, 7, _DAYS)
        return lambda day: _day_of_week(day) == weekday and day.day > _last(day) - 7
    days = {_DAYS["SAT"]} if field == "L" else _numbers(field, 1, 7, _DAYS)
    return lambda day: _day_of_week(day) in days


def _day_of_week(day: datetime.date) -> int:
    return day.isoweekday() % 7 + 1
