"""Each SageMaker patch is needed: unpatched moto still has the fault that it corrects."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "programs" / "plain_moto_sagemaker.py"
PATCHED = (
    "Model.response_object",
    "SageMakerResponse.create_model",
    "SageMakerResponse.describe_endpoint_config",
    "SageMakerResponse.create_endpoint_config",
    "SageMakerModelBackend.add_tags",
    "SageMakerModelBackend._get_resource_from_arn",
    "FakeTrainingJob.__init__",
    "SageMakerResponse.create_training_job",
    "FakeEndpoint.__init__",
    "SageMakerRuntimeResponse.invoke_endpoint",
    "SageMakerRuntimeResponse.use_raw_body",
    "SageMakerModelBackend.update_endpoint_weights_and_capacities",
    "FakeEndpointConfig.__init__",
    "FakeEndpointConfig.validate_instance_type",
    "SageMakerRuntimeResponse.invoke_endpoint_async",
    "ModelPackage.__init__",
    "ModelPackage.gen_response_object",
    "SageMakerModelBackend.create_model_package",
    "SageMakerModelBackend.update_model_package",
    "SageMakerModelBackend.list_training_jobs",
    "HyperParameterTuningJob.__init__",
    "HyperParameterTuningJob.describe",
    "SageMakerResponse.create_processing_job",
    "FakeProcessingJob.__init__",
    "FakeTransformJob.__init__",
)


@pytest.fixture(scope="module")
def faults() -> dict[str, bool]:
    """Return, for each patched symbol, whether unpatched moto has the fault."""
    # A process of its own, so that no patch of another test is installed.
    run = subprocess.run(
        [sys.executable, str(PROGRAM)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, bool] = json.loads(run.stdout)
    return found


@pytest.mark.parametrize("symbol", PATCHED)
def test_moto_still_has_the_fault(faults: dict[str, bool], symbol: str) -> None:
    assert faults[symbol], f"moto has caught up on {symbol}; remove its patch"
