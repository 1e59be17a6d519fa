from typing import Any

import pytest

from scones_core.errors import TerraformError
from scones_deploy.terraform.state import AppliedResource, parse_state, served_configurations


def resource(name: str, **more: Any) -> dict[str, Any]:
    base = {"address": f"aws_x.{name}", "type": "aws_x", "mode": "managed", "values": {"n": name}}
    return {**base, **more}


def test_resources_of_every_module_are_listed_and_data_sources_are_not() -> None:
    inner = {"resources": [resource("b", index="key")], "child_modules": []}
    root = {
        "resources": [resource("a"), resource("d", mode="data")],
        "child_modules": [{"child_modules": [inner]}],
    }
    for name in ("values", "planned_values"):
        found = parse_state({name: {"root_module": root}})
        assert [(r.address, r.key, r.values["n"]) for r in found] == [
            ("aws_x.a", "", "a"),
            ("aws_x.b", "key", "b"),
        ]


def test_an_empty_state_has_none() -> None:
    assert parse_state({"format_version": "1.0"}) == ()


def module(mode: str, kind: str, key: str) -> AppliedResource:
    address = f'module.endpoint["{mode}"].aws_sagemaker_{kind}.this["{key}"]'
    return AppliedResource(address, f"aws_sagemaker_{kind}", key, {})


def test_each_endpoint_serves_the_active_release_of_its_own_module() -> None:
    resources = [
        *(module("realtime", "endpoint_configuration", key) for key in ("a", "b", "a+b")),
        *(module("serverless", "endpoint_configuration", key) for key in ("a", "b")),
        module("realtime", "endpoint", "live"),
        module("serverless", "endpoint", "live"),
    ]
    found = [(e.module, c.module, c.key) for e, c in served_configurations(resources, "a")]
    assert found == [
        (f'module.endpoint["{mode}"].', f'module.endpoint["{mode}"].', key)
        for mode, key in (("realtime", "a+b"), ("serverless", "a"))
    ]
    assert [c.key for _, c in served_configurations(resources, "b")] == ["b", "b"]
    assert served_configurations(resources, "") == []


@pytest.mark.parametrize("body", [[], {"values": {"root_module": {"resources": [{}]}}}])
def test_another_format_is_an_error(body: Any) -> None:
    with pytest.raises(TerraformError, match="cannot be read"):
        parse_state(body)
