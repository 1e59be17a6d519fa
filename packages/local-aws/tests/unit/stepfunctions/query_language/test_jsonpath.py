import time
from typing import Any

import pytest
from moto.stepfunctions.parser.asl.utils.json_path import NoSuchJsonPathError

from local_aws.stepfunctions.query_language.jsonpath import InvalidPath, find

DEPOT: Any = {
    "bays": [
        {"id": 7, "kind": "bicycle", "tags": ["near", "dry"]},
        {"id": 8, "kind": "motorcycle", "tags": []},
        {"id": 9, "kind": "bicycle", "free": None},
    ],
    "straße": {"nummer-1": "a", "with space": "b", "it's": "c"},
    "empty": [],
    "nothing": None,
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", DEPOT),
        ("$.bays[0].id", 7),
        ("$.bays[-1].id", 9),
        ("$['bays'][1]['kind']", "motorcycle"),
        ("$.bays[0].tags[1]", "dry"),
        ("$.straße.nummer-1", "a"),
        ("$.straße['with space']", "b"),
        (r"$.straße['it\'s']", "c"),
        ("$.nothing", None),
        ("$.bays[2].free", None),
        ("$.empty", []),
        ("$.bays.length()", 3),
    ],
)
def test_names_and_single_indices_have_one_value(path: str, value: Any) -> None:
    assert find(path, DEPOT) == value


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("$.bays[*].id", [7, 8, 9]),
        ("$.bays[0:1].id", [7]),
        ("$.bays[:2].id", [7, 8]),
        ("$.bays[-2:].id", [8, 9]),
        ("$.bays[0,2].id", [7, 9]),
        ("$.straße['nummer-1','with space']", ["a", "b"]),
        ("$..id", [7, 8, 9]),
        ("$.bays[1:].tags[0]", []),
        ("$.empty[*].id", []),
        ("$..absent", []),
        ("$.bays[?(@.kind == 'bicycle')].id", [7, 9]),
        ("$.bays[?(@.kind=='bicycle' && @.id > 7)].id", [9]),
        ("$.bays[?(@.id == 8 || @.tags[0] == 'near')].id", [7, 8]),
        ("$.bays[?(!(@.tags))].id", [9]),
        ("$.bays[?(@.free == null)].id", [9]),
        ("$.bays[?(@.tags contains 'dry')].id", [7]),
        ("$.bays[?(@.id in [8, 9])].id", [8, 9]),
        ("$.bays[?(@.kind =~ /.*CYCLE/i)].id", [7, 8, 9]),
        ("$.bays[?(@.id >= $.bays[1].id)].id", [8, 9]),
        ("$.bays[?(@.id == '8')].id", []),
        ("$.straße.*", ["a", "b", "c"]),
    ],
)
def test_wildcards_slices_filters_unions_and_descents_have_a_list(
    path: str, values: list[Any]
) -> None:
    assert find(path, DEPOT) == values


@pytest.mark.parametrize(
    "path", ["$.bay", "$.bays[3]", "$.bays[-4]", "$.nothing.more", "$.bays.id", "$.straße[0]"]
)
def test_a_definite_path_without_a_value_is_an_error(path: str) -> None:
    with pytest.raises(NoSuchJsonPathError):
        find(path, DEPOT)


@pytest.mark.parametrize(
    "path",
    ["bays", "$.", "$[", "$.bays[", "$.bays[?(@.id ==]", "$.bays[a]", "$.a b", "$.bays[::0]"],
)
def test_what_is_not_a_path_is_refused(path: str) -> None:
    with pytest.raises(InvalidPath):
        find(path, DEPOT)


def test_a_pattern_that_would_take_years_fails() -> None:
    with pytest.raises(InvalidPath, match="is not matched"):
        find("$.x[?(@.y =~ /(a+)+b/)]", {"x": [{"y": "a" * 40}]})


def test_a_union_of_spaces_is_refused_in_no_time() -> None:
    began = time.monotonic()
    with pytest.raises(InvalidPath):
        find("$['a',b" + " " * 100_000 + '"]', {})
    assert time.monotonic() - began < 10


def doubled(times: int) -> object:
    """Return lists of two that hold each other, so many deep."""
    held: object = 0
    for _ in range(times):
        held = [held, held]
    return held


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("$.a[?(@ in $.a[?(@ in $.a[?(@ in $.a)])])]", {"a": list(range(300))}),
        ("$" + "..*" * 6, {"a": doubled(12)}),
    ],
)
def test_a_path_that_looks_at_its_data_again_and_again_ends(path: str, data: Any) -> None:
    began = time.monotonic()
    with pytest.raises(InvalidPath, match="more than 1,000,000 values"):
        find(path, data)
    assert time.monotonic() - began < 60
    assert find("$.a", data) == data["a"]
