"""What is kept costs, and what watches: buckets, key, repository, records, alarms, logs, traces."""

from collections.abc import Iterator, Mapping
from typing import Any

from scones_core.settings import CostSettings
from scones_deploy.applied import AppliedResource, served_configurations
from scones_deploy.cost_line import GB, MILLION, Line, of
from scones_deploy.prices import Prices


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


def _alarm_metrics(alarm: Mapping[str, Any]) -> int:
    """Return how many metrics an alarm is billed for: each of its expression's, else one."""
    return sum(bool(query.get("metric")) for query in alarm.get("metric_query") or ()) or 1
