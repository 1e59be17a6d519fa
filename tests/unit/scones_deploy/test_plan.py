from pathlib import Path
from typing import Any

import pytest

from scones_core.errors import DeployError, TerraformError
from scones_deploy.plan import Plan, parse_plan, protect


def resource(kind: str, *actions: str, mode: str = "managed") -> dict[str, Any]:
    return {
        "address": f"module.x.{kind}.this",
        "type": kind,
        "mode": mode,
        "change": {"actions": list(actions)},
    }


def plan(*changes: dict[str, Any]) -> Plan:
    return parse_plan(Path("p"), {"resource_changes": list(changes)}, has_changes=True)


def test_actions_are_counted_as_terraform_counts_them() -> None:
    made = plan(
        resource("a", "create"),
        resource("b", "update"),
        resource("c", "delete"),
        resource("d", "delete", "create"),
        resource("e", "create", "delete"),
        resource("f", "no-op"),
        resource("g", "read", mode="data"),
    )
    assert (made.add, made.change, made.destroy) == (3, 1, 3)
    assert [c.type for c in made.changes] == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("kind", ["aws_sagemaker_endpoint", "aws_s3_bucket", "aws_kms_key"])
@pytest.mark.parametrize("actions", [["delete"], ["delete", "create"], ["create", "delete"]])
def test_what_cannot_be_rebuilt_is_not_destroyed_unasked(kind: str, actions: list[str]) -> None:
    made = plan(resource(kind, *actions))
    with pytest.raises(DeployError, match=rf"module\.x\.{kind}\.this"):
        protect(made, allow_destroy=False)
    protect(made, allow_destroy=True)


def test_everything_else_passes() -> None:
    protect(
        plan(
            resource("aws_s3_bucket", "update"),
            resource("aws_kms_key", "create"),
            resource("aws_sagemaker_endpoint_configuration", "delete", "create"),
            resource("aws_s3_bucket_policy", "delete"),
        ),
        allow_destroy=False,
    )


@pytest.mark.parametrize("body", [{"resource_changes": [{}]}, {"resource_changes": 3}, []])
def test_another_format_is_an_error(body: Any) -> None:
    with pytest.raises(TerraformError, match="plan again"):
        parse_plan(Path("p"), body, has_changes=True)
