"""Values held against botocore's models: types, sizes, patterns and choices."""

import time
from typing import Any

import pytest
from botocore.model import Shape
from moto.core.utils import get_service_model

from local_aws.operations_page import MODELS
from local_aws.server.shape_checks import COSTLY, Malformed, faults, python_pattern


def _violations(operation: str, request: dict[str, Any]) -> list[str]:
    shape = get_service_model("sagemaker").operation_model(operation).input_shape
    assert shape is not None
    found = map(str, faults(shape, request))
    return [one for one in found if not one.startswith("Value null")]


@pytest.mark.parametrize(
    ("operation", "request_", "place", "limit"),
    [
        ("CreateModel", {"ModelName": "m" * 64}, "modelName", "length less than or equal to 63"),
        (
            "CreateModel",
            {"PrimaryContainer": {"Environment": {"LABELS": "x" * 1025}}},
            "primaryContainer.environment",
            "Map value must satisfy constraint: [Member must have length less than or equal to 10",
        ),
        (
            "CreateProcessingJob",
            {"Environment": {f"K{number}": "" for number in range(101)}},
            "environment",
            "length less than or equal to 100",
        ),
        (
            "CreateProcessingJob",
            {"ProcessingInputs": [{"InputName": "a"}] * 11},
            "processingInputs",
            "length less than or equal to 10",
        ),
        (
            "CreateTransformJob",
            {"TransformInput": {"ContentType": "x" * 257}},
            "transformInput.contentType",
            "length less than or equal to 256",
        ),
        (
            "CreateEndpointConfig",
            {"ProductionVariants": [{"VariantName": "a"}, {"VariantName": "v" * 64}]},
            "productionVariants.2.member.variantName",
            "length less than or equal to 63",
        ),
        (
            "CreateTransformJob",
            {"MaxPayloadInMB": 2**31 - 1, "ModelClientConfig": {"InvocationsMaxRetries": 4}},
            "modelClientConfig.invocationsMaxRetries",
            "value less than or equal to 3",
        ),
    ],
)
def test_a_value_over_its_limit_is_named_with_its_place(
    operation: str, request_: dict[str, Any], place: str, limit: str
) -> None:
    found = _violations(operation, request_)[0]
    assert f"' at '{place}' failed to satisfy constraint: " in found
    assert limit in found


def test_each_value_over_a_limit_is_named_and_a_long_one_is_cut() -> None:
    found = _violations(
        "CreateTrainingJob",
        {"TrainingJobName": "j" * 64, "HyperParameters": {"a": "x" * 9000, "b": "y" * 2500}},
    )
    assert len(found) == 3  # the name does not match its pattern either
    assert max(map(len, found)) < 600


def test_the_largest_values_are_taken() -> None:
    request = {
        "TrainingJobName": "j" * 63,
        "HyperParameters": {str(number): "x" * 2500 for number in range(100)},
        "EnableNetworkIsolation": True,
        "Tags": [{"Key": "k" * 128, "Value": "v" * 256}] * 50,
        "Unknown": "x" * 9000,
    }
    assert _violations("CreateTrainingJob", request) == []


@pytest.mark.parametrize(
    ("shape", "right", "wrong"),
    [
        ("integer", [1, -5, 7.0, 2**31 - 1], [1.5, "1", True, 2**31, float("inf"), float("nan")]),
        ("long", [2**63 - 1], [2**63, "x", []]),
        ("double", [1, 2.5, "NaN", "-Infinity"], ["1", True, {}]),
        ("boolean", [True, False], [0, "true"]),
        ("timestamp", [0, 1.5, "2026-01-01T00:00:00Z"], ["x", True, 1e300, []]),
        ("blob", ["Ym9keQ==", b"body"], [5, "a", {}]),
        ("string", ["", "x"], [0, False, {}]),
    ],
)
def test_each_type_takes_its_values_only(shape: str, right: list[Any], wrong: list[Any]) -> None:
    made = Shape("Made", {"type": shape})
    for value in [None, *right]:
        faults(made, value)
    for value in wrong:
        with pytest.raises(Malformed, match="can not be converted to a"):
            faults(made, value)


def _said(type_: str, value: Any, **constraints: Any) -> list[str]:
    return [str(one) for one in faults(Shape("Made", {"type": type_, **constraints}), value, "Of")]


def test_a_pattern_is_that_of_the_whole_value_with_javas_classes() -> None:
    assert len(_said("string", "Abcd", pattern="[a-z]+", max=3)) == 2
    assert _said("string", "abc", pattern="[a-z]+", max=3) == []
    assert len(_said("string", "\u00e4", pattern=r"\w+")) == 1
    tag = r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$"
    assert _said("string", "Gr\u00fc\u00dfe an 2", pattern=tag) == []
    assert len(_said("string", "a;b", pattern=tag)) == 1
    assert _said("string", "a", pattern=r"\p{Unknown}") == []


def test_a_secret_value_is_not_shown() -> None:
    (said,) = _said("string", "secret", max=3, sensitive=True)
    assert said.startswith("Value at 'of' failed to satisfy constraint: Member must have length")


def test_bytes_are_measured_unpacked() -> None:
    assert _said("blob", "YWJj", max=3) == []
    assert len(_said("blob", "YWJjZA==", max=3)) == 1


def test_values_of_a_list_have_one_fault_together() -> None:
    shape = get_service_model("lambda").operation_model("CreateFunction").input_shape
    assert shape is not None
    (fault,) = faults(shape.members["Layers"], ["a", "b"], "Layers")
    assert str(fault).startswith(
        "Value '[a, b]' at 'layers' failed to satisfy constraint: Member must satisfy constraint: "
        "[Member must have length less than or equal to 2048, Member must have length greater than "
        "or equal to 1, Member must satisfy regular expression pattern: "
    )


def test_a_secret_map_is_not_shown() -> None:
    shape = get_service_model("lambda").operation_model("CreateFunction").input_shape
    assert shape is not None
    found = faults(shape.members["Environment"], {"Variables": {"_X": "secret"}}, "Environment")
    assert [str(fault) for fault in found] == [
        "Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy "
        "constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]"
    ]


_JAVAS_ONLY = (
    r"[\w-_]*",
    r"^(?![^:\\]*/action/|(?i).*<script>.*</script>.*)[^:\\]+$",
)
_PREFIXES = ("", "https://", "arn:aws:lambda:us-east-1:123456789012:function:", "arn:aws:")
_UNITS = ("a", "0", "-", ".", "/", "_", " ", ":", "a-", "a/", "0a", ",a", "a:", "\n")


def test_no_pattern_of_the_open_services_takes_long_for_any_text() -> None:
    longest: dict[str, int] = {}
    for service in sorted(set(MODELS.values()) - {"s3"}):
        model = get_service_model(service)
        for name in model.shape_names:
            given = model.shape_for(name).metadata
            if pattern := given.get("pattern"):
                longest[pattern] = max(longest.get(pattern, 0), min(given.get("max", 1024), 1024))
    assert longest.keys() >= COSTLY
    for pattern, length in longest.items():
        compiled = python_pattern(pattern)
        if compiled is None:
            assert pattern in COSTLY or "\\p" in pattern or pattern in _JAVAS_ONLY
            continue
        for text in (
            (first + unit * length)[: length - 1] for first in _PREFIXES for unit in _UNITS
        ):
            began = time.process_time()
            compiled.fullmatch(f"{text}\0")
            assert time.process_time() - began < 1, pattern


def test_lists_of_a_map_have_one_fault_together() -> None:
    shape = get_service_model("dynamodb").operation_model("BatchWriteItem").input_shape
    assert shape is not None
    (fault,) = faults(shape, {"RequestItems": {"table": [], "other": [{}] * 25}})
    assert str(fault).endswith(
        " at 'requestItems' failed to satisfy constraint: Map value must satisfy constraint: "
        "[Member must have length less than or equal to 25, Member must have length greater than "
        "or equal to 1]"
    )
