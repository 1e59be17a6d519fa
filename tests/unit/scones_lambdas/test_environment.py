import pytest

from scones_core.errors import SettingsError
from scones_core.limits import ENDPOINT_BODY_BYTES
from scones_lambdas.environment import (
    ClassifyEnvironment,
    FilterEnvironment,
    SerializeEnvironment,
)

LABELS = '["bicycle", "motorcycle"]'


def test_limits_have_defaults_and_can_be_set() -> None:
    assert SerializeEnvironment.of({}) == SerializeEnvironment(ENDPOINT_BODY_BYTES, 16_000_000)
    given = {"MAX_IMAGE_BYTES": "10", "MAX_IMAGE_PIXELS": "20"}
    assert SerializeEnvironment.of(given) == SerializeEnvironment(10, 20)


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "many", "9" * 5000])
def test_a_limit_that_is_no_positive_whole_number_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="MAX_IMAGE_BYTES") as raised:
        SerializeEnvironment.of({"MAX_IMAGE_BYTES": text})
    assert len(str(raised.value)) < 500


def test_labels_keep_the_order_of_the_model() -> None:
    environment = ClassifyEnvironment.of({"LABELS": '["b", "a"]', "ENDPOINT_NAME": "e"})
    assert (tuple(environment.labels), environment.endpoint_name) == (("b", "a"), "e")


def test_the_endpoint_may_be_missing_before_the_first_release() -> None:
    assert not ClassifyEnvironment.of({"LABELS": LABELS}).endpoint_name
    assert not ClassifyEnvironment.of({"LABELS": LABELS, "ENDPOINT_NAME": " "}).endpoint_name


@pytest.mark.parametrize(
    "text", ["", "bicycle", '"ab"', '["a"]', "[1, 2]", '["a", "a"]', '{"a": 1, "b": 2}', "[" * 9999]
)
def test_labels_that_are_no_list_of_names_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="LABELS"):
        ClassifyEnvironment.of({"LABELS": text})


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(SettingsError, match="no variable LABELS"):
        ClassifyEnvironment.of({})
    with pytest.raises(SettingsError, match="no variable THRESHOLD"):
        FilterEnvironment.of({})


@pytest.mark.parametrize("text", ["0", "1", "0.93", "9.3e-1"])
def test_a_threshold_lies_between_0_and_1(text: str) -> None:
    assert FilterEnvironment.of({"THRESHOLD": text}).threshold == float(text)


@pytest.mark.parametrize(("text", "threshold"), [("", None), ("0.8", 0.8)])
def test_a_challenger_may_have_a_threshold_of_its_own(text: str, threshold: float | None) -> None:
    given = {"THRESHOLD": "0.9", "CHALLENGER_THRESHOLD": text}
    assert FilterEnvironment.of(given).challenger_threshold == threshold


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "-0.01", "1.01", "0,9"])
def test_another_threshold_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="THRESHOLD"):
        FilterEnvironment.of({"THRESHOLD": text})
