"""What the tasks do is found by its name."""

from types import ModuleType

import pytest

from scones_toolkit import tasks


@pytest.mark.parametrize("name", tasks.__all__)
def test_every_module_of_the_tasks_is_imported_on_its_first_use(name: str) -> None:
    found = getattr(tasks, name)
    assert isinstance(found, ModuleType)
    assert found.__name__.rpartition(".")[2] == name


def test_another_name_is_no_module_of_the_tasks() -> None:
    with pytest.raises(AttributeError, match="absent"):
        _ = tasks.absent
