import pytest

from scones_local.states.api import unsupported_features
from scones_local.states.engine import MAX_STATE_BYTES, within_quota
from scones_local.states.inline_map import worker_count


@pytest.mark.parametrize(
    ("asked", "items", "workers"),
    [(0, 5, 5), (0, 500, 40), (10, 500, 10), (1000, 500, 40), (10, 3, 3), (10, 0, 0)],
)
def test_a_map_runs_no_more_items_than_asked_than_there_are_and_than_forty(asked, items, workers):
    assert worker_count(asked, items) == workers


def test_a_states_data_is_measured_as_compact_utf8():
    assert within_quota("x" * MAX_STATE_BYTES)
    assert not within_quota("x" * (MAX_STATE_BYTES + 1))
    assert not within_quota("ü" * (MAX_STATE_BYTES // 2 + 1))
    pairs = {str(n): 0 for n in range(10)}
    assert within_quota({**pairs, "rest": "x" * (MAX_STATE_BYTES - len('"0":0,') * 10 - 9 - 2)})


def test_unsupported_features_are_found_at_any_depth():
    deep = {"States": {"P": {"Type": "Pass", "QueryLanguage": "JSONata"}}}
    definition = {
        "States": {
            "Par": {"Type": "Parallel", "Branches": [{"States": {}}, deep]},
            "Map": {"Type": "Map", "ItemProcessor": {"States": {"V": {"Assign": {"a": 1}}}}},
        }
    }
    found = list(unsupported_features(definition))
    assert len(found) == 2
    assert "JSONata" in found[0] and "State V" in found[1]


@pytest.mark.parametrize("definition", [None, 3, [], {}, {"States": []}, {"States": {"A": 1}}])
def test_what_is_no_definition_has_no_features(definition):
    assert list(unsupported_features(definition)) == []
