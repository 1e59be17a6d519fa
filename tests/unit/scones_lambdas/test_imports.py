import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[3] / "src"
HANDLERS = (
    "serialize_image",
    "classify_image",
    "filter_inferences",
    "classify_batch",
    "record_results",
    "collect_inbox",
)


def modules_after(statement: str) -> set[str]:
    """Return the modules that a new interpreter holds; it has no AWS variable at all."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    code = f"{statement}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        check=True,
        text=True,
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("name", HANDLERS)
def test_a_handler_is_imported_without_region_credentials_or_settings(name: str) -> None:
    modules = modules_after(f"from scones_lambdas.{name} import handler; assert callable(handler)")
    heavy = {"numpy", "torch", "PIL", "sagemaker", "moto", "requests", "pydantic"}
    assert not modules & heavy


def test_the_filter_needs_no_client() -> None:
    assert not modules_after("import scones_lambdas.filter_inferences") & {"boto3", "s3transfer"}


def test_no_client_is_made_at_import() -> None:
    modules_after(
        "import scones_lambdas.serialize_image, scones_lambdas.classify_image\n"
        "from scones_lambdas.clients import s3, sagemaker_runtime\n"
        "assert s3.cache_info().currsize == sagemaker_runtime.cache_info().currsize == 0"
    )
