import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scones_core.errors import CostError
from scones_core.settings import CostSettings
from scones_deploy.cost import (
    CLASS_METRICS,
    MAX_CLASSES,
    REPORT_METRICS,
    Line,
    Prices,
    batch_images,
    estimate,
)
from scones_deploy.terraform.state import AppliedResource
from scones_monitor import last_hour
from scones_monitor.drift.two_sample_tests import DriftFigure
from scones_monitor.last_hour import ClassFigures, LiveFigures, metric_data
from scones_monitor.statistics import Share
from tests.support.definitions import rendered

ROOT = Path(__file__).parents[3]
USAGE = CostSettings(image_bytes=10_000, function_ms=200, log_bytes=1_000)


def of(kind: str, key: str = "", **values: Any) -> AppliedResource:
    return AppliedResource(f"{kind}.{key}", kind, key, values)


def configuration(key: str, variant: dict[str, Any], **more: Any) -> AppliedResource:
    variants = [{"variant_name": "AllTraffic", **variant}]
    kind = "aws_sagemaker_endpoint_configuration"
    return of(kind, f"{key}/0a93887c", production_variants=variants, **more)


ENDPOINT = of("aws_sagemaker_endpoint")
LARGE = {"instance_type": "ml.m5.large", "initial_instance_count": 2}
SCALED = of(
    "aws_appautoscaling_target",
    resource_id="endpoint/scones/variant/AllTraffic",
    min_capacity=1,
)


def lines(*resources: AppliedResource, active: str = "r1") -> list[Line]:
    return estimate(resources, active, Prices.load(), USAGE)


def month(found: list[Line], word: str) -> float:
    return sum(line.month for line in found if word in line.item)


def test_only_the_active_release_is_billed_by_the_hour() -> None:
    idle = configuration("r0", {"instance_type": "ml.g5.xlarge", "initial_instance_count": 9})
    found = lines(ENDPOINT, configuration("r1", LARGE), idle)
    assert month(found, "every hour") == pytest.approx(730 * 2 * 0.115)
    assert month(lines(configuration("r1", LARGE)), "every hour") == 0, "there is no endpoint"


def test_a_shadow_bills_as_well_and_autoscaling_by_its_floor() -> None:
    shadow = [{"variant_name": "S", "instance_type": "ml.m5.xlarge", "initial_instance_count": 1}]
    live = configuration("r1", LARGE, shadow_production_variants=shadow)
    assert month(lines(ENDPOINT, live), "every hour") == pytest.approx(730 * (2 * 0.115 + 0.23))
    found = lines(ENDPOINT, configuration("r1", LARGE), SCALED)
    assert month(found, "every hour") == pytest.approx(730 * 0.115)


def test_a_challenger_bills_its_own_instances_next_to_what_scales() -> None:
    variants = [{"variant_name": name, **LARGE} for name in ("AllTraffic", "Challenger-r2")]
    both = of(
        "aws_sagemaker_endpoint_configuration", "r1+r2/185e176c", production_variants=variants
    )
    found = lines(ENDPOINT, configuration("r1", LARGE), both, SCALED)
    assert month(found, "every hour") == pytest.approx(730 * (1 + 2) * 0.115)


def test_a_serverless_endpoint_bills_by_the_image_alone() -> None:
    memory = {"serverless_config": [{"memory_size_in_mb": 2048, "max_concurrency": 5}]}
    found = [x for x in lines(ENDPOINT, configuration("r1", memory)) if "serverless" in x.item]
    assert (found[0].month, found[0].million) == (0, pytest.approx(2 * 100_000 * 0.00002))


def test_an_instance_type_without_a_price_is_an_error_that_names_the_table() -> None:
    odd = configuration("r1", {"instance_type": "ml.z9.huge", "initial_instance_count": 1})
    with pytest.raises(CostError, match=r"prices\.json.*ml\.z9\.huge.*ml\.m5\.large"):
        lines(ENDPOINT, odd)


def test_functions_bill_requests_and_memory_by_architecture() -> None:
    arm = of("aws_lambda_function", function_name="f", memory_size=512, architectures=["arm64"])
    (found,) = [line for line in lines(arm) if line.service == "Lambda"]
    assert found.million == pytest.approx(0.2 + 0.5 * 0.2 * 1e6 * 0.0000133334)


def test_a_large_run_bills_a_transition_and_an_express_execution_each_batch() -> None:
    definition = json.dumps(rendered())
    assert batch_images(definition) == 200 == batch_images("")
    machine = of("aws_sfn_state_machine", name="m", definition=definition)
    (found,) = [line for line in lines(machine) if line.service == "Step Functions"]
    seconds = 1e6 * 0.1 / 10
    assert found.million == pytest.approx(5_000 * (0.000025 + 0.000001) + seconds / 16 * 0.00001667)
    assert found.million < 0.25


def test_of_the_functions_a_large_run_bills_the_batches_alone() -> None:
    same = {"memory_size": 1024, "architectures": ["arm64"]}
    names = ("serialize_image", "classify_batch", "record_results")
    functions = [of("aws_lambda_function", name, function_name=name, **same) for name in names]
    (found,) = [line for line in lines(*functions) if line.service == "Lambda"]
    assert found.item == "classify_batch"
    assert found.million == pytest.approx(5_000 * 0.0000002 + 1e5 * 0.2 * 0.0000133334)


def test_each_image_bills_its_row_and_its_event() -> None:
    found = lines(of("aws_dynamodb_table"), of("aws_cloudwatch_event_bus"))
    billed = {line.service: line.million for line in found}
    assert billed["DynamoDB"] == pytest.approx(1.25)
    assert billed["EventBridge"] == pytest.approx(1)


def test_captured_records_bill_for_as_long_as_they_are_kept() -> None:
    rule = [{"expiration": [{"days": 60}]}, {"expiration": []}]
    resources = [
        ENDPOINT,
        of("aws_s3_bucket"),
        of("aws_s3_bucket_lifecycle_configuration", "capture", rule=rule),
        configuration(
            "r1",
            LARGE,
            data_capture_config=[{"enable_capture": True, "initial_sampling_percentage": 50}],
        ),
    ]
    (found,) = [line for line in lines(*resources) if "captured" in line.item]
    volume = 500_000 * (10_000 * 4 / 3 + 700) / 1e9
    assert found.item == "captured records, 50% kept 60 days"
    assert found.million == pytest.approx(50_000 * 0.000005 + volume * 2 * 0.023)


def test_alarms_bill_by_the_metric_that_they_watch() -> None:
    share = {"metric_query": [{"metric": [{}]}, {"metric": [{}]}, {"expression": "a/b"}]}
    alarms = [
        of("aws_cloudwatch_metric_alarm", "a"),
        of("aws_cloudwatch_metric_alarm", "b", **share),
    ]
    assert month(lines(*alarms), "alarmed") == pytest.approx(0.3)


def test_the_daily_report_bills_its_job_and_its_metrics() -> None:
    module = 'module.daily_report["this"].'
    machine = AppliedResource(
        f"{module}module.job_state_machine.aws_sfn_state_machine.this",
        "aws_sfn_state_machine",
        "",
        {"name": "m", "definition": '{"C": "{% {\\"InstanceType\\":\\"ml.m5.large\\"} %}"}'},
    )
    settings = AppliedResource(
        f"{module}aws_s3_object.settings",
        "aws_s3_object",
        "",
        {"content": '{"labels": ["a", "b"]}'},
    )
    found = lines(machine, settings)
    assert month(found, "5 minutes of ml.m5.large") == pytest.approx(730 / 24 / 12 * 0.115)
    assert month(found, "10 metrics of the daily report") == pytest.approx(3)
    assert not [line for line in found if line.million and line.service == "Step Functions"]


def test_the_metrics_of_the_daily_report_are_those_that_it_writes() -> None:
    since = datetime(2026, 11, 20, tzinfo=UTC)
    drift = DriftFigure(
        name="class mix",
        method="random divisions",
        statistic=0.1,
        p_value=0.5,
        n_reference=40,
        n_current=40,
        interval=None,
        verdict="none",
    )
    figures = LiveFigures(
        endpoint="scones",
        since=since,
        until=since + timedelta(days=1),
        images=2,
        review=Share(1, 2),
        classes={"a": ClassFigures(share=Share(2, 2), median=0.9, p10=0.8)},
        drift=[drift],
        captured=Share(2, 2),
    )
    assert len(metric_data(figures)) == REPORT_METRICS + CLASS_METRICS
    assert MAX_CLASSES == last_hour.MAX_CLASSES


def test_a_daily_report_whose_definition_is_not_known_yet_is_on_the_usual_machine() -> None:
    address = 'module.daily_report["this"].module.job_state_machine.aws_sfn_state_machine.this'
    machine = AppliedResource(address, "aws_sfn_state_machine", "", {"name": "m"})
    assert month(lines(machine), "ml.t3.medium") == pytest.approx(730 / 24 / 12 * 0.05)


def test_every_price_has_its_unit_and_a_source_and_the_table_its_date() -> None:
    body = json.loads((ROOT / "src/scones_deploy/prices.json").read_text())
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", body["checked"])
    for item in [*body["prices"].values()]:
        assert item["usd"] > 0
        assert item["per"]
        assert item["source"].startswith("https://aws.amazon.com/")


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text("{}")
    with pytest.raises(CostError, match=r"p\.json"):
        Prices.load(tmp_path / "p.json")
    with pytest.raises(CostError, match="has no flux"):
        Prices.load()["flux"]
