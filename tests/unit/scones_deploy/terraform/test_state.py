from typing import Any

import pytest

from scones_core.errors import TerraformError
from scones_deploy.terraform.state import (
    AppliedResource,
    parse_planned,
    parse_state,
    served_configurations,
)


def planned(name: str, **more: Any) -> dict[str, Any]:
    base = {"address": f"aws_x.{name}", "type": "aws_x", "mode": "managed", "values": {"n": name}}
    return {**base, **more}


def applied(name: str, *instances: dict[str, Any], **more: Any) -> dict[str, Any]:
    found = [{"attributes": {"n": name}, **instance} for instance in instances]
    return {"mode": "managed", "type": "aws_x", "name": name, "instances": found, **more}


def test_planned_resources_of_every_module_are_listed_and_data_sources_are_not() -> None:
    inner = {"resources": [planned("b", index="key")], "child_modules": []}
    root = {
        "resources": [planned("a"), planned("d", mode="data")],
        "child_modules": [{"child_modules": [inner]}],
    }
    found = parse_planned({"planned_values": {"root_module": root}})
    assert [(r.address, r.key, r.values["n"]) for r in found] == [
        ("aws_x.a", "", "a"),
        ("aws_x.b", "key", "b"),
    ]


def test_applied_resources_have_the_addresses_that_terraform_gives_them() -> None:
    resources = [
        applied("a", {}),
        applied("b", {"index_key": 'a "quoted" key'}, module='module.m["one"]'),
        applied("c", {"index_key": 0}, {"index_key": 1}),
        applied("d", {}, mode="data"),
    ]
    found = parse_state({"version": 4, "resources": resources})
    assert [(r.address, r.key, r.values["n"]) for r in found] == [
        ("aws_x.a", "", "a"),
        (r'module.m["one"].aws_x.b["a \"quoted\" key"]', 'a "quoted" key', "b"),
        ("aws_x.c[0]", "0", "c"),
        ("aws_x.c[1]", "1", "c"),
    ]
    assert found[1].module == 'module.m["one"].'


def test_what_a_replacement_left_over_is_not_listed() -> None:
    resources = [applied("a", {}, {"deposed": "0a1b2c3d", "attributes": {"n": "before"}})]
    (found,) = parse_state({"version": 4, "resources": resources})
    assert found.values == {"n": "a"}


def test_an_empty_state_has_none() -> None:
    assert parse_state({}) == ()
    assert parse_state({"version": 4}) == ()


def test_a_state_of_another_version_is_refused() -> None:
    with pytest.raises(TerraformError, match="version 5"):
        parse_state({"version": 5, "resources": []})


def module(mode: str, kind: str, key: str) -> AppliedResource:
    address = f'module.endpoint["{mode}"].aws_sagemaker_{kind}.this["{key}"]'
    return AppliedResource(address, f"aws_sagemaker_{kind}", key, {})


def test_each_endpoint_serves_the_active_release_of_its_own_module() -> None:
    resources = [
        *(module("realtime", "endpoint_configuration", key) for key in ("a/1", "b/2", "a+b/3")),
        *(module("serverless", "endpoint_configuration", key) for key in ("a/1", "b/2")),
        module("realtime", "endpoint", "live"),
        module("serverless", "endpoint", "live"),
    ]
    found = [(e.module, c.module, c.key) for e, c in served_configurations(resources, "a")]
    assert found == [
        (f'module.endpoint["{mode}"].', f'module.endpoint["{mode}"].', key)
        for mode, key in (("realtime", "a+b/3"), ("serverless", "a/1"))
    ]
    assert [c.key for _, c in served_configurations(resources, "b")] == ["b/2", "b/2"]
    assert served_configurations(resources, "") == []


@pytest.mark.parametrize("body", [[1], {"resources": []}, {"version": 4, "resources": [{}]}])
def test_another_format_is_an_error(body: Any) -> None:
    with pytest.raises(TerraformError, match="cannot be read"):
        parse_state(body)


@pytest.mark.parametrize("body", [[], {"planned_values": {"root_module": {"resources": [{}]}}}])
def test_another_format_of_a_plan_is_an_error(body: Any) -> None:
    with pytest.raises(TerraformError, match="cannot be read"):
        parse_planned(body)
