"""Cost of an environment: resources as Terraform plans them, usage as settings assume it.

Unit prices are in `prices.json` next to this file, with date, region and sources.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scones_core.errors import CostError
from scones_core.settings import CostSettings
from scones_deploy.terraform.state import AppliedResource, served_configurations

HOURS = 730.0
GB = 1e9
MILLION = 1_000_000


BATCH_CONCURRENCY = 10
"""Images of a batch that are worked on at once, unless a smaller limit is set."""
BATCH_IMAGES = 200
"""Images of a batch, until a definition says how many."""
JOBS = "job_state_machine"
"""The Terraform module of a state machine that runs jobs, within the module of each."""
DAILY_REPORT = "daily_report"
"""The Terraform module of the job that reports each day."""
DAYS = HOURS / 24
# Of the endpoint, and of each class; scones_monitor.last_hour.MAX_CLASSES of these have some.
REPORT_METRICS, CLASS_METRICS, MAX_CLASSES = 6, 2, 20
REPORT_INSTANCE = "ml.t3.medium"
"""What the job runs on, until a definition says it."""
_INSTANCE = re.compile(r"InstanceType\W+(ml\.[a-z0-9-]+\.[a-z0-9]+)")
SMALL_RUNS = frozenset(
    {"serialize_image", "classify_image", "filter_inferences", "record_results", "collect_inbox"}
)
"""Functions that a million images do not call, or a few times only: they come in large runs."""


@dataclass(frozen=True, slots=True)
class Line:
    """One item: what stands for a month without any image, and for each million images."""

    service: str
    item: str
    month: float = 0.0
    million: float = 0.0


def of(resources: Iterable[AppliedResource], kind: str) -> list[Mapping[str, Any]]:
    """Return the values of the resources of one type."""
    return [resource.values for resource in resources if resource.type == kind]


TABLE = Path(__file__).with_name("prices.json")


@dataclass(frozen=True, slots=True)
class Prices:
    """Unit prices by name, and prices an hour by instance type, in `currency`.

    `hosting` are those of endpoints, `jobs` those of types that only jobs run on.

    `checked` is the day on which the table was last compared with its sources.
    """

    checked: str
    region: str
    currency: str
    unit: Mapping[str, float]
    hosting: Mapping[str, float]
    jobs: Mapping[str, float]

    @classmethod
    def load(cls, path: Path = TABLE) -> "Prices":
        """Return the table; raises CostError, naming the file, where it is none."""
        try:
            body: dict[str, Any] = json.loads(path.read_bytes())
            return cls(
                checked=body["checked"],
                region=body["region"],
                currency=body["currency"],
                unit={name: float(item["usd"]) for name, item in body["prices"].items()},
                hosting={name: float(usd) for name, usd in body["hosting_hour"]["usd"].items()},
                jobs={name: float(usd) for name, usd in body["job_hour"]["usd"].items()},
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CostError(f"{path} is not a price table ({error!r}); restore it.") from error

    def __getitem__(self, name: str) -> float:
        try:
            return self.unit[name]
        except KeyError:
            raise CostError(f"The price table {TABLE} has no {name}; add it there.") from None

    def hour(self, instance_type: str) -> float:
        """Return what an hour of a hosting instance costs; raises CostError for another type."""
        return self._hour(instance_type, self.hosting)

    def job_hour(self, instance_type: str) -> float:
        """Return what an hour of a job's instance costs; raises CostError for another type."""
        return self._hour(instance_type, {**self.hosting, **self.jobs})

    def _hour(self, instance_type: str, known: Mapping[str, float]) -> float:
        try:
            return known[instance_type]
        except KeyError:
            raise CostError(
                f"The price table {TABLE} ({self.region}, {self.checked}) has no {instance_type}; "
                f"add its price an hour there. It has {', '.join(sorted(known))}."
            ) from None


NOT_IN = (
    "data transfer out of the region and between zones",
    "training, retraining, tuning and notebook hours",
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
        *_records(found, prices),
        *storage(found, active_release, prices, usage),
        *watching(found, prices, usage),
        *_daily_report(found, prices, usage),
    ]


def _endpoint(
    resources: tuple[AppliedResource, ...], active: str, prices: Prices, usage: CostSettings
) -> Iterator[Line]:
    for endpoint, configuration in served_configurations(resources, active):
        for variant in configuration.values.get("production_variants") or ():
            floor = _least_instances(resources, endpoint.module, str(variant["variant_name"]))
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


def _least_instances(
    resources: tuple[AppliedResource, ...], module: str, variant: str
) -> int | None:
    """Return the fewest instances that autoscaling keeps of a variant; None without it."""
    for resource in resources:
        scales = resource.type == "aws_appautoscaling_target" and resource.module == module
        if scales and str(resource.values["resource_id"]).endswith(f"/variant/{variant}"):
            return int(resource.values["min_capacity"])
    return None


def _functions(
    resources: tuple[AppliedResource, ...], prices: Prices, usage: CostSettings
) -> Iterator[Line]:
    for resource in resources:
        if resource.type != "aws_lambda_function" or resource.key in SMALL_RUNS:
            continue
        function = resource.values
        architecture = (function.get("architectures") or ["x86_64"])[0]
        memory = float(function.get("memory_size") or 128) / 1024
        batched = resource.key == "classify_batch"
        seconds = usage.function_ms / 1000 * MILLION / (BATCH_CONCURRENCY if batched else 1)
        price = memory * seconds * prices[f"lambda_gb_second_{architecture}"]
        price += MILLION / (BATCH_IMAGES if batched else 1) * prices["lambda_request"]
        yield Line("Lambda", str(function["function_name"]), million=price)


def _workflow(
    resources: tuple[AppliedResource, ...], prices: Prices, usage: CostSettings
) -> Iterator[Line]:
    for resource in resources:
        # Those of jobs have no images.
        if resource.type != "aws_sfn_state_machine" or JOBS in resource.module:
            continue
        state_machine = resource.values
        name = str(state_machine.get("name") or "state machine")
        if state_machine.get("type") == "EXPRESS":
            seconds = MILLION * usage.function_ms / 1000 * 64 / 1024
            price = MILLION * prices["states_express_request"]
            yield Line(
                "Step Functions", name, million=price + seconds * prices["states_express_gb_second"]
            )
            continue
        # A million images are a large run: a transition and an Express execution each batch.
        batch = batch_images(state_machine.get("definition") or "")
        seconds = MILLION * usage.inference_ms / 1000 / BATCH_CONCURRENCY * 64 / 1024
        price = MILLION / batch * (prices["states_transition"] + prices["states_express_request"])
        price += seconds * prices["states_express_gb_second"]
        yield Line("Step Functions", f"{name}, batches of {batch} images", million=price)


def _records(resources: tuple[AppliedResource, ...], prices: Prices) -> Iterator[Line]:
    for _ in of(resources, "aws_dynamodb_table"):
        # The row, then its mark: a unit each; with a key of 1,000 bytes they are two.
        price = 2 * MILLION * prices["dynamodb_write"]
        yield Line("DynamoDB", "rows, two writes an image", million=price)
    for _ in of(resources, "aws_cloudwatch_event_bus"):
        yield Line("EventBridge", "events, one an image", million=MILLION * prices["event"])


def batch_images(definition: str) -> int:
    """Return how many images a batch of the definition's distributed Maps has, at most.

    Without a definition (it is known only after the first apply) it is the default.
    """
    states = json.loads(definition)["States"] if definition else {}
    batchers = (state.get("ItemBatcher", {}) for state in states.values())
    return min((int(b["MaxItemsPerBatch"]) for b in batchers if b), default=BATCH_IMAGES)


def storage(
    resources: tuple[AppliedResource, ...], active: str, prices: Prices, usage: CostSettings
) -> Iterator[Line]:
    """Yield what a month of the buckets, the repository and the key costs, and their use."""
    for _ in of(resources, "aws_kms_key"):
        requests = usage.kms_requests_per_image * MILLION * prices["kms_request"]
        yield Line("KMS", "key, and its requests", prices["kms_key_month"], requests)
    if of(resources, "aws_ecr_repository"):
        yield Line(
            "ECR", f"{usage.image_gb:g} GB of model images", usage.image_gb * prices["ecr_gb_month"]
        )
    if not of(resources, "aws_s3_bucket"):
        return
    stored = usage.storage_gb * prices["s3_gb_month"]
    reads = MILLION * usage.reads_per_image * prices["s3_get"]
    yield Line("S3", f"{usage.storage_gb:g} GB of data and models; reads", stored, reads)
    share, days = _capture(resources, active)
    records = share * MILLION
    volume = records * (usage.image_bytes * 4 / 3 + usage.record_bytes) / GB
    price = records / usage.records_per_file * prices["s3_put"]
    price += volume * days / 30 * prices["s3_gb_month"]
    yield Line("S3", f"captured records, {share:.0%} kept {days} days", million=price)


def _capture(resources: tuple[AppliedResource, ...], active: str) -> tuple[float, int]:
    """Return the share of requests that is captured, and how many days it is kept."""
    shares = [
        float(capture["initial_sampling_percentage"]) / 100
        for _, configuration in served_configurations(resources, active)
        for capture in configuration.values.get("data_capture_config") or ()
        if capture.get("enable_capture")
    ]
    days = [
        int(expiration["days"])
        for r in resources
        if r.type == "aws_s3_bucket_lifecycle_configuration" and r.key == "capture"
        for rule in r.values.get("rule") or ()
        for expiration in rule.get("expiration") or ()
        if expiration.get("days")
    ]
    return max(shares, default=0.0), min(days, default=365)


def watching(
    resources: tuple[AppliedResource, ...], prices: Prices, usage: CostSettings
) -> Iterator[Line]:
    """Yield what alarms, dashboard, metrics, logs and traces cost."""
    if not resources:
        return
    alarmed = sum(map(_alarm_metrics, of(resources, "aws_cloudwatch_metric_alarm")))
    boards = len(of(resources, "aws_cloudwatch_dashboard"))
    yield Line("CloudWatch", f"{alarmed} alarmed metrics", alarmed * prices["alarm_metric_month"])
    yield Line("CloudWatch", f"{boards} dashboard", boards * prices["dashboard_month"])
    custom = usage.custom_metrics
    yield Line("CloudWatch", f"{custom} custom metrics", custom * prices["custom_metric_month"])
    groups = [
        int(g.get("retention_in_days") or 0) for g in of(resources, "aws_cloudwatch_log_group")
    ]
    volume = usage.log_bytes * MILLION / GB
    kept = volume * max(groups, default=0) / 30 * prices["log_gb_month"]
    yield Line("CloudWatch", "logs", million=volume * prices["log_gb_in"] + kept)
    traced = usage.traced_share * MILLION * prices["trace"]
    yield Line("X-Ray", f"traces of {usage.traced_share:.0%}", million=traced)


def _daily_report(
    resources: tuple[AppliedResource, ...], prices: Prices, usage: CostSettings
) -> Iterator[Line]:
    """Yield what the job that reports each day costs, and the metrics that it writes."""
    own = [resource for resource in resources if f"module.{DAILY_REPORT}" in resource.module]
    for machine in of(own, "aws_sfn_state_machine"):
        found = _INSTANCE.search(str(machine.get("definition") or ""))
        kind = found[1] if found else REPORT_INSTANCE
        hours = DAYS * usage.daily_report_minutes / 60
        name = f"daily report, {usage.daily_report_minutes} minutes of {kind}"
        yield Line("SageMaker", name, month=hours * prices.job_hour(kind))
    for settings in of(own, "aws_s3_object"):
        classes = len(json.loads(settings.get("content") or "{}").get("labels", ()))
        metrics = REPORT_METRICS + CLASS_METRICS * min(classes, MAX_CLASSES)
        price = metrics * prices["custom_metric_month"]
        yield Line("CloudWatch", f"{metrics} metrics of the daily report", price)


def _alarm_metrics(alarm: Mapping[str, Any]) -> int:
    """Return how many metrics an alarm is billed for: each of its expression's, else one."""
    return sum(bool(query.get("metric")) for query in alarm.get("metric_query") or ()) or 1
