"""Jobs that nothing runs here: moto would call them Completed at once, with nothing done."""

from typing import Any

from moto.sagemaker.responses import SageMakerResponse

from local_aws.core.patching import wrap

# The operation's method, and what to use in its place.
_NOT_RUN = {
    "create_auto_ml_job_v2": "it runs no AutoML job; use a tuning job",
    "create_compilation_job": "it compiles no model",
    "start_pipeline_execution": "it runs no pipeline; use a state machine",
}


def install() -> None:
    """Have every such request answered with an error that says so."""
    for name, instead in _NOT_RUN.items():
        _refuse(name, instead)


def _refuse(name: str, instead: str) -> None:
    @wrap(SageMakerResponse, name, fault="is Completed at once, with nothing done")
    def refuse(original: Any, self: SageMakerResponse) -> Any:
        del original, self
        raise NotImplementedError(instead)
