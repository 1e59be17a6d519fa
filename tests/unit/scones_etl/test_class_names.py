import pytest

from scones_core.errors import DatasetError
from scones_core.labels import LabelSet
from scones_etl.class_names import require_plain_names


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "a b", "é", "x" * 65, "a\n"])
def test_a_class_name_that_cannot_be_part_of_a_key_is_refused(name: str) -> None:
    with pytest.raises(DatasetError, match="cannot be part of an S3 key"):
        require_plain_names(LabelSet.of(["bicycle", name]))


def test_the_names_of_cifar_can_be_parts_of_keys() -> None:
    require_plain_names(LabelSet.of(["pickup_truck", "maple_tree"]))
