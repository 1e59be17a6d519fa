"""Terraform's outputs, typed: what is deployed, for the other packages to work with."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Self

from scones_core.errors import DeployError

# What is output by modules that wait for storage and roles, or at the end of an apply.
_NOT_YET: dict[str, Any] = {
    "builtin_algorithm_image": "",
    "state_machine_arn": "",
    "function_names": {},
    "endpoint_name": "",
    "variant": "",
    "active_release": "",
    "threshold": 0.0,
    "labels": (),
}


@dataclass(frozen=True, slots=True)
class Challenge:
    """A release that answers `share` (0 to 1) of the requests in the active one's place.

    `variant` has its captured records and metrics; `threshold` is its own.
    """

    release: str
    share: float
    variant: str
    threshold: float


@dataclass(frozen=True, slots=True)
class Deployment:
    """Names and ARNs of one environment, as `terraform output` gives them.

    `endpoint_name` and `active_release` are empty before the first release,
    `retraining_state_machine_arn` where nothing retrains, `demand_*` where no demand is forecast,
    `drift_reference_since` where an operator accepted no change of the traffic.
    `capture_uri` is the S3 destination of data capture, without the endpoint's name; below it each
    variant has a folder, and `variant` is the one that serves `active_release`.
    """

    environment: str
    region: str
    account_id: str
    data_bucket: str
    artifacts_bucket: str
    capture_uri: str
    kms_key_arn: str
    training_role_arn: str
    model_repository_url: str
    model_package_group: str
    builtin_algorithm_image: str
    state_machine_arn: str
    function_names: Mapping[str, str]
    endpoint_name: str
    variant: str
    active_release: str
    threshold: float
    labels: tuple[str, ...]
    retraining_state_machine_arn: str = ""
    demand_model_group: str = ""
    demand_builtin_image: str = ""
    drift_reference_since: str = ""
    challenger: Challenge | None = None

    @property
    def target(self) -> dict[str, str]:
        """The arguments of InvokeEndpoint that have the active release answer, and no other."""
        return {"TargetVariant": self.variant} if self.challenger else {}

    @classmethod
    def of(cls, outputs: Mapping[str, Any]) -> Self:
        """Return the deployment that these output values describe.

        An output with a default may be missing: an environment that was applied before it was
        there can still be released to. Raises DeployError for any other that is: the environment
        was not applied.
        """
        missing = [f.name for f in fields(cls) if f.name not in outputs and f.default is MISSING]
        if missing:
            raise DeployError(
                f"The environment is deployed only in part (no output {missing[0]!r}): run "
                "`inv apply`."
            )
        values = {f.name: outputs[f.name] for f in fields(cls) if f.name in outputs}
        challenger = Challenge(**values["challenger"]) if values.get("challenger") else None
        return cls(**{**values, "labels": tuple(values["labels"]), "challenger": challenger})

    @classmethod
    def of_part(cls, outputs: Mapping[str, Any], **known: str) -> Self:
        """Return what is deployed while the rest is still being applied.

        What the rest will output is empty, which `of` would refuse. `known` are values that no
        resource decides (environment, region, account_id): Terraform outputs them at the end.
        """
        return cls.of({**_NOT_YET, **known, **outputs})
