"""UpdateEndpointWeightsAndCapacities: other weights and instance counts for running variants."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from moto.sagemaker.exceptions import AWSValidationException

from local_aws.errors import LocalAwsError
from local_aws.sagemaker.endpoints.deployment import (
    EndpointRecord,
    end_deployment,
    enter_status,
)
from local_aws.sagemaker.endpoints.weighted_variants import Fleet

Wishes = Mapping[str, Mapping[str, Any]]


def rescale(endpoint: EndpointRecord, fleet: Fleet, wishes: Sequence[Mapping[str, Any]]) -> None:
    """Give variants the weights at once, and the instance counts soon; the record follows.

    Raises AWSValidationException, with nothing changed, where a wish fits no variant.
    """
    asked = {wish["VariantName"]: wish for wish in wishes}
    _check(endpoint, fleet, wishes)
    _record(endpoint, asked)
    fleet.set_weights(
        {name: float(w["DesiredWeight"]) for name, w in asked.items() if "DesiredWeight" in w}
    )
    name = f"scale-{endpoint.endpoint_name}"
    threading.Thread(target=_scale, args=(endpoint, fleet, asked), name=name, daemon=True).start()


def _check(endpoint: EndpointRecord, fleet: Fleet, wishes: Sequence[Mapping[str, Any]]) -> None:
    names = [str(wish["VariantName"]) for wish in wishes]
    for name in names:
        if names.count(name) > 1:
            raise AWSValidationException(
                f'The variant name "{name}" was non-unique within the request.'
            )
        if name not in fleet.variants:
            raise AWSValidationException(
                f'The variant name(s) "{name}" is/are not present within endpoint configuration '
                f'"{endpoint.endpoint_config_name}".'
            )
    counts = [wish.get("DesiredInstanceCount") for wish in wishes]
    if fleet.settings.serverless and any(count is not None for count in counts):
        raise AWSValidationException("A serverless variant has no instances to count.")
    # Only an asynchronous endpoint can be without any instance.
    if 0 in counts and fleet.settings.asynchronous is None:
        raise AWSValidationException("DesiredInstanceCount must be at least 1 for this endpoint.")


def _record(endpoint: EndpointRecord, wishes: Wishes) -> None:
    variants = []
    for variant in endpoint.production_variants:
        wish = wishes.get(variant["VariantName"], {})
        described = {
            key: wish[key] for key in ("DesiredWeight", "DesiredInstanceCount") if key in wish
        }
        if "DesiredWeight" in described:
            described["CurrentWeight"] = described["DesiredWeight"]
        variants.append({**variant, **described})
    endpoint.production_variants = variants
    endpoint.failure_reason = None
    enter_status(endpoint, "Updating")


def _scale(endpoint: EndpointRecord, fleet: Fleet, wishes: Wishes) -> None:
    reason = ""
    try:
        for name, wish in wishes.items():
            if "DesiredInstanceCount" in wish:
                fleet.variants[name].scale(int(wish["DesiredInstanceCount"]))
    except LocalAwsError as error:
        reason = str(error)
        enter_status(endpoint, "RollingBack")
    endpoint.production_variants = [_counted(v, fleet) for v in endpoint.production_variants]
    end_deployment(endpoint, reason)


def _counted(variant: Mapping[str, Any], fleet: Fleet) -> dict[str, Any]:
    if "CurrentInstanceCount" not in variant:
        return dict(variant)
    count = fleet.variants[variant["VariantName"]].count
    return {**variant, "CurrentInstanceCount": count, "DesiredInstanceCount": count}
