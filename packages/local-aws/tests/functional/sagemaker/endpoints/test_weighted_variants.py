"""Which variant a request goes to."""

from pathlib import Path

import pytest
from functional.sagemaker.endpoints.conftest import Make, fleet

from local_aws.sagemaker.endpoints.instances import (
    VariantFailed,
    VariantUnavailable,
)
from local_aws.sagemaker.endpoints.weighted_variants import NoSuchVariant


def test_a_target_and_the_weights_choose_the_variant(make: Make, tmp_path: Path) -> None:
    both = fleet(tmp_path, make("a"), make("b"), weights={"a": 1.0, "b": 0.0})

    assert {both.choose().spec.name for _ in range(50)} == {"a"}
    assert both.choose("b").spec.name == "b"
    both.set_weights({"a": 0.0, "b": 2.0})
    assert {both.choose().spec.name for _ in range(50)} == {"b"}
    with pytest.raises(NoSuchVariant, match="'c'"):
        both.choose("c")
    both.set_weights({"b": 0.0})
    with pytest.raises(NoSuchVariant, match="weight 0"):
        both.choose()


def test_a_fleet_with_one_bad_variant_leaves_none_running(make: Make, tmp_path: Path) -> None:
    good = make("good")

    with pytest.raises(VariantFailed):
        fleet(tmp_path, good, make("bad", FAIL="1")).start()

    with pytest.raises(VariantUnavailable):
        good.invoke(b"", {})
