import pytest

from scones_core.errors import SettingsError
from scones_core.labels import LabelSet


def test_the_order_of_the_names_is_the_order_of_the_model() -> None:
    labels = LabelSet.of(["motorcycle", "bicycle"])
    assert (labels.index("motorcycle"), labels.index("bicycle")) == (0, 1)
    assert list(labels) == ["motorcycle", "bicycle"]
    assert len(labels) == 2


@pytest.mark.parametrize("names", [[], ["bicycle"], ["a", "a"], ["a", ""]])
def test_a_single_class_is_refused(names: list[str]) -> None:
    with pytest.raises(SettingsError, match=r"dataset\.classes"):
        LabelSet.of(names)


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="'train' is none of the classes bicycle, motorcycle"):
        LabelSet.of(["bicycle", "motorcycle"]).index("train")
