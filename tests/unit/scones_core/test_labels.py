import pytest

from scones_core.errors import SettingsError
from scones_core.labels import LabelSet, attributed_labels, labels_attribute


def test_the_order_of_the_names_is_the_order_of_the_model() -> None:
    labels = LabelSet.of(["motorcycle", "bicycle"])
    assert (labels.index("motorcycle"), labels.index("bicycle")) == (0, 1)
    assert list(labels) == ["motorcycle", "bicycle"]
    assert len(labels) == 2


@pytest.mark.parametrize("names", [[], ["bicycle"], ["a", "a"], ["a", ""]])
def test_a_single_class_is_refused(names: list[str]) -> None:
    with pytest.raises(SettingsError, match=r"dataset\.classes"):
        LabelSet.of(names)


def test_more_classes_than_a_matrix_of_them_has_memory_for_are_refused() -> None:
    assert len(LabelSet.of([str(number) for number in range(5000)])) == 5000
    with pytest.raises(SettingsError, match="at most 5,000 classes, not 5,001"):
        LabelSet.of([str(number) for number in range(5001)])


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SettingsError, match="'train' is none of the classes bicycle, motorcycle"):
        LabelSet.of(["bicycle", "motorcycle"]).index("train")


def test_an_answers_classes_are_read_as_they_were_named() -> None:
    names = ("pickup_truck", "bus")
    assert attributed_labels(f"trace=1; {labels_attribute(names)}") == LabelSet.of(names)


@pytest.mark.parametrize(
    "names", [("a b", "c"), ("a,b", "c"), ["n" * 60 + str(n) for n in range(20)]]
)
def test_names_that_do_not_fit_into_an_attribute_are_left_out(names: list[str]) -> None:
    assert labels_attribute(names) == ""


@pytest.mark.parametrize("text", ["", "labels=", "labels=a", "labels=a,a", "mylabels=a,b"])
def test_attributes_that_name_no_classes_are_none(text: str) -> None:
    assert attributed_labels(text) is None
