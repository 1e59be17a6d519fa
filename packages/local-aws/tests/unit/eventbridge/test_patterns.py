import itertools

from local_aws.eventbridge.patterns import alternatives


def test_each_object_of_a_list_stands_for_it_in_turn():
    event = {"a": [{"b": 1}, {"b": 2}], "c": [3, 4]}
    assert list(alternatives(event)) == [
        {"a": {"b": 1}, "c": [3, 4]},
        {"a": {"b": 2}, "c": [3, 4]},
    ]


def test_an_event_without_such_lists_is_itself():
    event = {"a": [1, 2], "b": {"c": []}}
    assert list(alternatives(event)) == [event]


def test_a_hostile_event_takes_no_time_without_end():
    event = {str(n): [{"x": i} for i in range(20)] for n in range(6)}
    assert len(list(itertools.islice(alternatives(event), 2000))) == 1000
