from pathlib import Path
from typing import Any

import pytest

from scones_core.assignments import (
    Assignment,
    assignments_table,
    parse_assignments,
    require_assignments,
)
from scones_core.errors import SettingsError
from scones_core.settings import Settings

TABLE = {
    "bicycle": {"bay": "A", "orders": "near", "max_km": 3},
    "motorcycle": {"bay": "B", "orders": "far", "max_km": 12.5},
}


def test_a_table_is_read_by_class_and_written_back() -> None:
    found = parse_assignments(TABLE)
    assert found["bicycle"] == Assignment("bicycle", "A", "near", 3)
    assert assignments_table(found) == TABLE


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bay": ""}, "bay"),
        ({"bay": 3}, "bay"),
        ({"orders": "everywhere"}, "near"),
        ({"max_km": 0}, "max_km"),
        ({"max_km": float("inf")}, "max_km"),
        ({"max_km": float("nan")}, "max_km"),
        ({"max_km": True}, "max_km"),
        ({"more": 1}, "no more"),
    ],
)
def test_a_value_of_another_form_is_refused_with_its_class(
    change: dict[str, Any], words: str
) -> None:
    with pytest.raises(SettingsError, match=rf"assignment.bicycle.*{words}"):
        parse_assignments({"bicycle": {**TABLE["bicycle"], **change}})


@pytest.mark.parametrize("table", [[], "A", {"bicycle": "A"}, {"bicycle": {"bay": "A"}}])
def test_what_is_no_table_of_assignments_is_refused(table: Any) -> None:
    with pytest.raises(SettingsError, match="assignment"):
        parse_assignments(table)


def test_each_class_has_an_assignment_and_nothing_else_has() -> None:
    require_assignments(TABLE, ("motorcycle", "bicycle"))
    require_assignments({}, ("cat", "dog"))
    with pytest.raises(SettingsError, match=r"class scooter has no assignment.*assignment.scooter"):
        require_assignments(TABLE, ("bicycle", "motorcycle", "scooter"))
    with pytest.raises(
        SettingsError, match=r"classes bus, tram have no assignment.*\[assignment.b"
    ):
        require_assignments(TABLE, ("bicycle", "bus", "motorcycle", "tram"))
    with pytest.raises(SettingsError, match=r"c9 and 90 more have no assignment"):
        require_assignments(TABLE, [f"c{number}" for number in range(100)])
    with pytest.raises(SettingsError, match=r"assignment.motorcycle\] is about no class"):
        require_assignments(TABLE, ("bicycle",))
    require_assignments(TABLE, ("bicycle",), others=("motorcycle",))


def test_settings_have_the_file_s_assignments(tmp_path: Path) -> None:
    file = tmp_path / "scones.toml"
    file.write_text('[assignment.bicycle]\nbay = "A"\norders = "near"\nmax_km = 3\n')
    assert Settings.load(file, {}).assignment == {"bicycle": Assignment("bicycle", "A", "near", 3)}
    file.write_text('[assignment.bicycle]\nbay = "A"\n')
    with pytest.raises(SettingsError, match=r"scones.toml: \[assignment.bicycle\]"):
        Settings.load(file, {})
    file.write_text("")
    with pytest.raises(SettingsError, match="SCONES_ASSIGNMENT_BICYCLE_BAY"):
        Settings.load(file, {"SCONES_ASSIGNMENT_BICYCLE_BAY": "A"})
