from scones_local.stores import Stores


def test_what_is_kept_is_saved_and_given_back():
    stores, values = Stores(), {"a": 1}
    stores.keep("values", lambda: dict(values), values.update)
    saved = stores.saved()
    values.clear()
    stores.load(saved)
    assert values == {"a": 1}


def test_a_value_that_nobody_keeps_any_more_is_left_alone():
    stores = Stores()
    stores.load({"gone": 1})
    assert stores.saved() == {}


def test_what_is_started_again_is_started_in_order():
    stores, done = Stores(), []
    stores.on_restored(lambda: done.append("first"))
    stores.on_restored(lambda: done.append("second"))
    stores.restored()
    assert done == ["first", "second"]


def test_a_change_is_told():
    stores = Stores()
    assert not stores.change.is_set()
    stores.changed()
    assert stores.change.is_set()


def test_a_change_that_is_relied_on_is_told_apart():
    stores = Stores()
    stores.changed()
    assert not stores.urgent.is_set()
    stores.changed(at_once=True)
    assert stores.change.is_set() and stores.urgent.is_set()
