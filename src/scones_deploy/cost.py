"""What an environment costs: resources as Terraform plans them, usage as settings assume it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from scones_core.settings import CostSettings
from scones_deploy.applied import AppliedResource, served_configurations
from scones_deploy.cost_kept import storage, watching
from scones_deploy.cost_line import GB, HOURS, MILLION, Line, of
from scones_deploy.prices import Prices

NOT_IN = (
    "data transfer out of the region and between zones",
    "training, tuning and notebook hours",
    "requests of people and of Terraform, retries, cold starts",
    "the endpoint's volumes, alarm mails, queues, schedules, S3 access logs",
    "the hours in which a schedule takes the endpoint down, and those of further instances",
    "the free tier, taxes, discounts and savings plans",
)


def estimate(
    resources: Iterable[AppliedResource],
    active_release: str,
    prices: Prices,
    usage: CostSettings,
) -> list[Line]:
    """Return the lines of an environment's cost, in the table's currency.

    `active_release` is the one whose configuration the endpoint runs; "" for no endpoint.
    Raises CostError for what the table has no price for.
    """
    found = tuple(resources)
    return [
        *_endpoint(found, active_release, prices, usage),
        *_functions(found, prices, usage),
        *_workflow(found, prices, usage),
        *storage(found, active_release, prices, usage),
        *watching(found, prices, usage),
    ]


def _endpoint(
    resources: tuple[AppliedResource, ...], active: str, prices: Prices, usage: CostSettings
) -> Iterator[Line]:
    for endpoint, configuration in served_configurations(resources, active):
        floor = _least_instances(resources, endpoint.module)
        for variant in configuration.values.get("production_variants") or ():
            yield _variant(variant, floor, prices, usage)
        for variant in configuration.values.get("shadow_production_variants") or ():
            yield _variant(variant, None, prices, usage)
        moved = (usage.image_bytes + usage.answer_bytes) * MILLION / GB
        yield Line("SageMaker", "data in and out", million=moved * prices["endpoint_data_gb"])


def _variant(
    variant: Mapping[str, Any], floor: int | None, prices: Prices, usage: CostSettings
) -> Line:
    serverless = variant.get("serverless_config") or ()
    if serverless:
        memory = float(serverless[0]["memory_size_in_mb"]) / 1024
        seconds = usage.inference_ms / 1000 * MILLION
        price = memory * seconds * prices["endpoint_serverless_gb_second"]
        return Line("SageMaker", f"serverless, {memory:g} GB", million=price)
    kind = str(variant["instance_type"])
    count = int(variant.get("initial_instance_count") or 1) if floor is None else floor
    name = f"{count} {kind} of {variant['variant_name']}, every hour"
    return Line("SageMaker", name, month=HOURS * count * prices.hour(kind))


def _least_instances(resources: tuple[AppliedResource, ...], module: str) -> int | None:
    """Return the fewest instances that autoscaling keeps of an endpoint; None without it."""
    for resource in resources:
        if resource.type == "aws_appautoscaling_target" and resource.module == module:
            return int(resource.values["min_capacity"])
    return None


def _functions(
    resources: tuple[AppliedResource, ...], prices: Prices, usage: CostSettings
) -> Iterator[Line]:
    for function in of(resources, "aws_lambda_function"):
        architecture = (function.get("architectures") or ["x86_64"])[0]
        memory = float(function.get("memory_size") or 128) / 1024
        seconds = usage.function_ms / 1000 * MILLION
        price = memory * seconds * prices[f"lambda_gb_second_{architecture}"]
        price += MILLION * prices["lambda_request"]
        yield Line("Lambda", str(function["function_name"]), million=price)


def _workflow(
    resources: tuple[AppliedResource, ...], prices: Prices, usage: CostSettings
) -> Iterator[Line]:
    for machine in of(resources, "aws_sfn_state_machine"):
        name = str(machine.get("name") or "state machine")
        if machine.get("type") == "EXPRESS":
            seconds = MILLION * usage.function_ms / 1000 * 64 / 1024
            price = MILLION * prices["states_express_request"]
            yield Line(
                "Step Functions", name, million=price + seconds * prices["states_express_gb_second"]
            )
            continue
        count = transitions(machine.get("definition") or "")
        price = count * MILLION * prices["states_transition"]
        yield Line("Step Functions", f"{name}, {count} transitions an image", million=price)


def transitions(definition: str) -> int:
    """Return the transitions of one image that nothing goes wrong with.

    They are the states of the definition's Map from its start on; without a definition (it is
    known only after the first apply) one for each function.
    """
    states = json.loads(definition)["States"] if definition else {}
    inner = next(
        (
            s.get("ItemProcessor") or s.get("Iterator")
            for s in states.values()
            if s["Type"] == "Map"
        ),
        None,
    )
    if inner is None:
        return 3
    count, name = 0, inner["StartAt"]
    while name:
        count += 1
        state = inner["States"][name]
        name = state.get("Next") or state.get("Default")
    return count
