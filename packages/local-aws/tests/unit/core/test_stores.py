from local_aws.core.stores import Stores


def test_what_is_kept_is_saved_and_given_back() -> None:
    stores, values = Stores(), {"a": 1}
    stores.keep("values", lambda: dict(values), values.update)
    saved = stores.saved()
    values.clear()
    stores.load(saved)
    assert values == {"a": 1}


def test_a_value_that_nobody_keeps_any_more_is_left_alone() -> None:
    stores = Stores()
    stores.load({"gone": 1})
    assert stores.saved() == {}


def test_what_is_started_again_is_started_in_order() -> None:
    stores, done = Stores(), []
    stores.on_restored(lambda: done.append("first"))
    stores.on_restored(lambda: done.append("second"))
    stores.restored()
    assert done == ["first", "second"]


def test_a_change_is_reported() -> None:
    stores = Stores()
    assert not stores.change.is_set()
    stores.changed()
    assert stores.change.is_set()


def test_an_end_that_is_becoming_visible_counts_as_one_that_is_not_saved() -> None:
    stores = Stores()
    assert not stores.has_transitions()
    with stores.durable_transition():
        stores.take_transitions()  # a save begins before the end is visible, so it is not in it
        assert stores.has_transitions()
    assert stores.has_transitions() and stores.change.is_set()
    stores.take_transitions()
    assert not stores.has_transitions()


def test_a_request_that_shows_an_end_is_distinguished_from_the_next_one() -> None:
    stores = Stores()
    assert not stores.take_wait()
    stores.wait_until_saved()
    assert stores.take_wait()
    assert not stores.take_wait()
