"""Verification: what runs against what was applied and trained, each difference a sentence."""

import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from scones_core.events import challenger_of
from scones_core.golden_samples import INFERENCE_ID_PREFIX, GoldenSample, same_answer
from scones_core.uris import S3Uri
from scones_deploy.bundle import Bundle
from scones_deploy.release import Release, Releases
from scones_deploy.terraform.state import AppliedResource

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient
else:
    SageMakerClient = Any
    SageMakerRuntimeClient = Any


MISSING = ("ResourceNotFoundException", "ValidationException")


def is_served(sagemaker: SageMakerClient, endpoint: str) -> bool:
    """Return whether there is an endpoint of this name, in whatever state."""
    try:
        sagemaker.describe_endpoint(EndpointName=endpoint)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in MISSING:
            raise
        return False
    return True


def served_release(
    sagemaker: SageMakerClient, endpoint: str, releases: Mapping[str, Release]
) -> str:
    """Return the id of the release that answers at an endpoint, apart from a challenger.

    Empty where none does: there is no such endpoint, its creation failed, or its model is of none
    of these releases.
    """
    if not endpoint:
        return ""
    try:
        live = sagemaker.describe_endpoint(EndpointName=endpoint)
        if live["EndpointStatus"] in ("Creating", "Failed", "Deleting"):
            return ""
        found = sagemaker.describe_endpoint_config(EndpointConfigName=live["EndpointConfigName"])
        variants = found["ProductionVariants"]
        own = next(v for v in variants if not challenger_of(v["VariantName"]))
        model = sagemaker.describe_model(ModelName=own["ModelName"])
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in MISSING:
            raise
        return ""
    # An id is a part of the names of what Terraform makes for it; a model's files may be of two.
    serving = [name for name, each in releases.items() if not [*_model_differences(model, each)]]
    named = [name for name in serving if name in own["ModelName"]]
    return next(iter((*named, *serving)), "")


def endpoint_differences(
    sagemaker: SageMakerClient,
    endpoint: str,
    release: Release,
    intended: Mapping[str, Any],
    challenger: Release | None = None,
) -> list[str]:
    """Return what a live endpoint does otherwise than its releases and Terraform say.

    `intended` has the attributes of the configuration that it is to serve. Compared are status
    and configuration, and of that the variants with their shares of the requests, the data
    capture and each model's image, artifact and environment.
    """
    try:
        live: dict[str, Any] = {**sagemaker.describe_endpoint(EndpointName=endpoint)}
        name = live["EndpointConfigName"]
        found = sagemaker.describe_endpoint_config(EndpointConfigName=name)
        models = [
            (
                sagemaker.describe_model(ModelName=variant["ModelName"]),
                challenger if challenger_of(variant["VariantName"]) else release,
            )
            for variant in found["ProductionVariants"]
        ]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in MISSING:
            raise
        return [f"{endpoint}: {error.response['Error'].get('Message', error)}"]
    return [
        *_differs(f"the status of {endpoint}", _status(live), "InService"),
        *_differs(f"the configuration of {endpoint}", name, intended.get("name")),
        *_configuration_differences(name, found, intended),
        *_differs(f"the shares of {endpoint}", *_shares(live, intended)),
        *(
            difference
            for model, served in models
            if served is not None
            for difference in _model_differences(model, served)
        ),
    ]


def _shares(
    live: Mapping[str, Any], intended: Mapping[str, Any]
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the share of the requests that each variant has, and that it is to have.

    Weights can be changed at the endpoint, which its configuration does not show.
    """
    has = {
        v["VariantName"]: v.get("DesiredWeight", 1.0) for v in live.get("ProductionVariants", ())
    }
    expected = {
        v["variant_name"]: v.get("initial_variant_weight", 1.0)
        for v in intended.get("production_variants", ())
    }
    # One variant has all requests, whatever it weighs.
    return ({}, {}) if len(has) < 2 else (_normalised(has), _normalised(expected))


def _normalised(weights: Mapping[str, float]) -> dict[str, float]:
    total = sum(weights.values()) or 1.0
    return {name: round(weight / total, 4) for name, weight in weights.items()}


def _status(live: Mapping[str, Any]) -> str:
    reason = live.get("FailureReason")
    return f"{live['EndpointStatus']} ({reason})" if reason else str(live["EndpointStatus"])


def _configuration_differences(
    name: str, found: Mapping[str, Any], intended: Mapping[str, Any]
) -> Iterator[str]:
    live = {v["VariantName"]: v["ModelName"] for v in found["ProductionVariants"]}
    expected = {v["variant_name"]: v["model_name"] for v in intended.get("production_variants", ())}
    yield from _differs(f"the variants of {name}", live, expected)
    capture = found.get("DataCaptureConfig") or {}
    for settings in intended.get("data_capture_config") or ():
        for setting, key, attribute in (
            ("being on", "EnableCapture", "enable_capture"),
            ("percentage", "InitialSamplingPercentage", "initial_sampling_percentage"),
            ("destination", "DestinationS3Uri", "destination_s3_uri"),
            ("key", "KmsKeyId", "kms_key_id"),
        ):
            setting_name = f"the data capture's {setting} of {name}"
            yield from _differs(setting_name, capture.get(key), settings.get(attribute))


def _model_differences(model: Mapping[str, Any], release: Release) -> Iterator[str]:
    name, container = model["ModelName"], model.get("PrimaryContainer") or {}
    for setting, key, expected in (
        ("image", "Image", release.image),
        ("artifact", "ModelDataUrl", release.model_data_url),
        ("environment", "Environment", dict(release.environment)),
    ):
        yield from _differs(
            f"the {setting} of the model {name}", container.get(key) or {}, expected
        )


def function_differences(
    functions: Any,
    bundles: Mapping[str, Bundle],
    applied: Iterable[AppliedResource],
) -> list[str]:
    """Return where the functions' live code or environment is not what was built and applied.

    Live is the version behind the alias, which the state machine invokes.
    """
    resources = tuple(applied)
    aliases = {r.key: r.values for r in resources if r.type == "aws_lambda_alias"}
    intended = {r.key: r.values for r in resources if r.type == "aws_lambda_function"}
    differences: list[str] = []
    for key, alias in sorted(aliases.items()):
        name = f"{alias['function_name']}:{alias['name']}"
        try:
            live = functions.get_function_configuration(
                FunctionName=alias["function_name"], Qualifier=alias["name"]
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in MISSING:
                raise
            differences.append(f"the function {name} is not there")
            continue
        hash_wanted = bundles[key].source_code_hash if key in bundles else None
        differences += _differs(f"the code hash of {name}", live["CodeSha256"], hash_wanted)
        differences += _environment_differences(name, dict(live), intended.get(key, {}))
    return differences


def _environment_differences(
    name: str, live: Mapping[str, Any], intended: Mapping[str, Any]
) -> Iterator[str]:
    found = (live.get("Environment") or {}).get("Variables") or {}
    blocks = intended.get("environment") or [{}]
    expected = blocks[0].get("variables") or {}
    for key in sorted(found.keys() | expected.keys()):
        yield from _differs(f"{key} of {name}", found.get(key), expected.get(key))


def setting_differences(
    release: Release | None, functions: Iterable[AppliedResource], endpoint: str
) -> list[str]:
    """Return where the functions were given another endpoint or other labels than the release's.

    Terraform wires these; a wrong wire would be in its state and in the live function alike.
    """
    given = {}
    for resource in functions:
        if resource.type == "aws_lambda_function" and resource.values.get("environment"):
            given[resource.key] = resource.values["environment"][0].get("variables") or {}
    classify = given.get("classify_image", {})
    found = list(_differs("the functions' ENDPOINT_NAME", classify.get("ENDPOINT_NAME"), endpoint))
    if release is not None:
        found += _label_differences(classify.get("LABELS") or "[]", release.labels)
    return found


def _label_differences(variable: str, labels: Sequence[str]) -> Iterator[str]:
    """Yield where a function's LABELS, a JSON list or the location of one, are not these."""
    if variable.startswith("s3://"):
        # The object is named after its content, as Terraform writes it.
        text = json.dumps(list(labels), separators=(",", ":"))
        expected = f"labels/{hashlib.sha256(text.encode()).hexdigest()}.json"
        yield from _differs("the functions' LABELS", S3Uri.parse(variable).key, expected)
    else:
        yield from _differs("the functions' LABELS", json.loads(variable), list(labels))


def rollback_advice(releases: Releases, environment: str) -> str:
    """Return the sentence that says how to leave a release that does not hold."""
    older = [name for name in sorted(releases.releases) if name != releases.active]
    before = [name for name in older if name < (releases.active or "")] or older
    if not before:
        return (
            "There is no other release to roll back to: fix this one, or `inv pause` the endpoint."
        )
    return (
        f"To go back: `inv rollback {before[-1]} --env {environment}`, then "
        f"`inv plan --env {environment}` and `inv apply --env {environment}`."
    )


def _differs(setting: str, found: object, expected: object) -> Iterator[str]:
    if found != expected:
        yield f"{setting} is {_display_value(found)} and should be {_display_value(expected)}"


def _display_value(value: object) -> str:
    return "nothing" if value in (None, "", {}) else str(value)


def score_differences(
    runtime: SageMakerRuntimeClient,
    endpoint: str,
    images: Sequence[GoldenSample],
    variant: str = "",
) -> list[str]:
    """Return, for each golden sample that the endpoint answers otherwise, what it answers.

    `variant` is the one that is asked, of several. Answers are compared by `same_answer`. An
    error of the endpoint is a difference as well.
    """
    found, target = [], {"TargetVariant": variant} if variant else {}
    named = f"{endpoint}, variant {variant}," if variant else endpoint
    for number, image in enumerate(images, start=1):
        answer = _answer(runtime, endpoint, image, target)
        if not same_answer(answer, image.probabilities):
            found.append(
                f"golden sample {number} of {len(images)} is answered {_short(answer)} by "
                f"{named} and should be {_short(list(image.probabilities))}"
            )
    return found


def _answer(
    runtime: SageMakerRuntimeClient, endpoint: str, image: GoldenSample, target: Any
) -> Any:
    try:
        body = runtime.invoke_endpoint(
            EndpointName=endpoint,
            Body=image.body,
            ContentType=image.content_type,
            InferenceId=f"{INFERENCE_ID_PREFIX}{uuid.uuid4()}",
            **target,
        )["Body"].read()
        return json.loads(body)
    except ClientError as error:
        return f"with {error.response.get('Error', {}).get('Message', error)}"
    except ValueError:
        return f"with {body[:80]!r}"


def _short(answer: Any) -> str:
    if not isinstance(answer, list):
        return str(answer)
    shown = (f"{v:.5f}" if type(v) in (int, float) else repr(v) for v in answer[:8])
    return f"[{', '.join(shown)}{', …' if len(answer) > 8 else ''}]"
