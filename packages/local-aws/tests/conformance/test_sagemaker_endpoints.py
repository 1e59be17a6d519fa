"""Endpoints: updates and their guardrails, scaling, shadows, limits."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local_aws.testing.aws import unique
from local_aws.testing.hosting import PULL, Hosting, variant


def routing(kind: str, wait: int, **sizes: int) -> dict[str, Any]:
    policy = {
        "TrafficRoutingConfiguration": {
            "Type": kind,
            "WaitIntervalInSeconds": wait,
            **{n: {"Type": "CAPACITY_PERCENT", "Value": v} for n, v in sizes.items()},
        },
        "TerminationWaitInSeconds": 120,
        "MaximumExecutionTimeoutInSeconds": 1800,
    }
    return {"BlueGreenUpdatePolicy": policy}


def update(hosting: Hosting, endpoint: str, configuration: str, **more: Any) -> None:
    hosting.sagemaker.update_endpoint(
        EndpointName=endpoint, EndpointConfigName=configuration, **more
    )


def baking(hosting: Hosting, endpoint: str, share: str) -> dict[str, Any]:
    def bakes(found: dict[str, Any]) -> bool:
        variants = found.get("PendingDeploymentSummary", {}).get("ProductionVariants", [{}])
        status = variants[0].get("VariantStatus", [{}])[0]
        return status.get("Status") == "Baking" and share in status.get("StatusMessage", "")

    return hosting.reaches(endpoint, bakes)


def alarm(hosting: Hosting, state: str, name: str = "") -> str:
    name = name or unique("alarm")
    cloudwatch = hosting.aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/SageMaker",
        MetricName=unique("metric"),
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        Period=60,
        Statistic="Sum",
        Threshold=5,
        TreatMissingData="ignore",
    )
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="the test says so")
    return name


def answers(hosting: Hosting, endpoint: str, number: int = 200) -> list[bytes]:
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda _: hosting.invoke(endpoint), range(number)))


def test_a_canary_gets_its_share_then_the_rest_each_after_its_wait(hosting: Hosting) -> None:
    """.../deployment-guardrails-blue-green-canary.html; botocore: PendingDeploymentSummary."""
    blue, green = (
        hosting.configuration(variant(hosting.model(answer), count=2))
        for answer in ("blue", "green")
    )
    endpoint = hosting.endpoint(blue)
    update(hosting, endpoint, green, DeploymentConfig=routing("CANARY", 300, CanarySize=50))

    canary = baking(hosting, endpoint, "50%")
    assert canary["EndpointStatus"] == "Updating"
    assert canary["EndpointConfigName"] == blue
    assert canary["PendingDeploymentSummary"]["EndpointConfigName"] == green
    # 200 draws at 0.5: outside of these bounds about once in a million runs.
    assert 65 <= answers(hosting, endpoint).count(b"green") <= 135

    hosting.advance(301)
    baking(hosting, endpoint, "100%")
    assert set(answers(hosting, endpoint, 30)) == {b"green"}
    hosting.advance(301)
    hosting.advance(121)
    found = hosting.settled(endpoint)
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", green)
    assert "PendingDeploymentSummary" not in found
    assert "FailureReason" not in found


def test_an_update_to_the_configuration_that_the_endpoint_has_is_refused(hosting: Hosting) -> None:
    """.../APIReference/API_UpdateEndpoint.html: an update needs a new EndpointConfig.

    Also where only the deployment's settings would change.
    """
    configuration = hosting.configuration(variant(hosting.model("same")))
    endpoint = hosting.endpoint(configuration)
    with pytest.raises(ClientError, match=r"ValidationException.*create a new one"):
        update(hosting, endpoint, configuration, DeploymentConfig=routing("ALL_AT_ONCE", 0))
    assert hosting.settled(endpoint).get("LastDeploymentConfig") is None


def test_an_alarm_during_the_bake_brings_everything_back(hosting: Hosting) -> None:
    """.../deployment-guardrails-configuration.html: a tripped alarm rolls the traffic back.

    Terraform sees the old EndpointConfigName again, and why (terraform-provider-aws #39100).
    """
    blue, green = (
        hosting.configuration(variant(hosting.model(answer), count=2))
        for answer in ("blue", "green")
    )
    endpoint, name = hosting.endpoint(blue), alarm(hosting, "OK")
    config = routing("LINEAR", 300, LinearStepSize=50)
    config["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": name}]}
    update(hosting, endpoint, green, DeploymentConfig=config)
    baking(hosting, endpoint, "50%")

    alarm(hosting, "ALARM", name)
    found = hosting.settled(endpoint)

    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", blue)
    assert f"{name} in state ALARM" in found["FailureReason"]
    assert found["LastDeploymentConfig"] == config
    assert set(answers(hosting, endpoint, 30)) == {b"blue"}


def test_a_rollback_lets_the_requests_that_the_new_fleet_holds_end(hosting: Hosting) -> None:
    """botocore: EndpointStatus RollingBack; the old configuration serves on meanwhile."""
    blue, green = (hosting.configuration(variant(hosting.model(), count=2)) for _ in range(2))
    endpoint, name = hosting.endpoint(blue), alarm(hosting, "OK")
    config = routing("CANARY", 600, CanarySize=50)
    config["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": name}]}
    update(hosting, endpoint, green, DeploymentConfig=config)
    baking(hosting, endpoint, "50%")
    with ThreadPoolExecutor(12) as pool:
        held = [pool.submit(hosting.invoke, endpoint, b"sleep 3") for _ in range(12)]
        alarm(hosting, "ALARM", name)
        hosting.reaches(endpoint, lambda found: found["EndpointStatus"] == "RollingBack")
        assert hosting.invoke(endpoint) == b"[0.9, 0.1]"
        assert {future.result() for future in held} == {b"[0.9, 0.1]"}
    assert hosting.settled(endpoint)["EndpointConfigName"] == blue


def test_alarms_that_the_role_may_not_see_take_an_update_back(hosting: Hosting) -> None:
    """.../deployment-guardrails-configuration.html: the role needs cloudwatch:DescribeAlarms."""
    reads = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    model = hosting.model(role=hosting.aws.role_with(PULL, reads))
    blue, green = (hosting.configuration(variant(model)) for _ in range(2))
    endpoint, name = hosting.endpoint(blue), alarm(hosting, "OK")
    config = routing("ALL_AT_ONCE", 0)
    config["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": name}]}
    update(hosting, endpoint, green, DeploymentConfig=config)

    found = hosting.settled(endpoint)
    assert found["EndpointConfigName"] == blue
    assert "not authorized to perform: cloudwatch:DescribeAlarms" in found["FailureReason"]


def test_an_update_that_takes_longer_than_its_maximum_is_taken_back(hosting: Hosting) -> None:
    """botocore: BlueGreenUpdatePolicy.MaximumExecutionTimeoutInSeconds."""
    blue, green = (hosting.configuration(variant(hosting.model(), count=2)) for _ in range(2))
    endpoint = hosting.endpoint(blue)
    config = routing("CANARY", 3600, CanarySize=50)
    config["BlueGreenUpdatePolicy"]["MaximumExecutionTimeoutInSeconds"] = 600
    update(hosting, endpoint, green, DeploymentConfig=config)
    baking(hosting, endpoint, "50%")

    hosting.advance(601)
    found = hosting.settled(endpoint)

    assert found["EndpointConfigName"] == blue
    assert "600 s" in found["FailureReason"]


def test_a_rolling_update_moves_batch_by_batch(hosting: Hosting) -> None:
    """.../deployment-guardrails-rolling.html: batches of 5 to 50 percent, each with its wait."""
    blue, green = (hosting.configuration(variant(hosting.model(), count=2)) for _ in range(2))
    endpoint = hosting.endpoint(blue)
    policy = {
        "MaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": 1},
        "WaitIntervalInSeconds": 60,
    }
    update(hosting, endpoint, green, DeploymentConfig={"RollingUpdatePolicy": policy})
    baking(hosting, endpoint, "50%")
    hosting.advance(61)
    baking(hosting, endpoint, "100%")
    hosting.advance(61)

    assert hosting.settled(endpoint)["EndpointConfigName"] == green


@pytest.mark.parametrize(
    ("count", "policy", "words"),
    [
        (1, routing("CANARY", 0, CanarySize=10), "50% of the variant's total instance count"),
        (4, routing("CANARY", 0, CanarySize=60), "50% of the variant's total instance count"),
        (4, routing("LINEAR", 0, LinearStepSize=5), "between 10% and 50%"),
        (4, routing("LINEAR", 0), "LinearStepSize is required"),
        (4, routing("ALL_AT_ONCE", 3601), "waitIntervalInSeconds.* less than or equal to 3600"),
    ],
)
def test_an_impossible_deployment_is_refused_and_changes_nothing(
    hosting: Hosting, count: int, policy: dict[str, Any], words: str
) -> None:
    """botocore: TrafficRoutingConfig, CapacitySize and their ranges."""
    configuration = hosting.configuration(variant(hosting.model(), count=count))
    endpoint = hosting.endpoint(hosting.configuration(variant(hosting.model())))

    with pytest.raises(ClientError, match=words):
        update(hosting, endpoint, configuration, DeploymentConfig=policy)
    found = hosting.settled(endpoint)
    assert found["EndpointStatus"] == "InService"
    assert "LastDeploymentConfig" not in found


def test_an_endpoint_that_changes_can_be_neither_changed_nor_deleted(hosting: Hosting) -> None:
    """botocore: EndpointStatus; the message is the one that users of AWS report."""
    blue, green = (hosting.configuration(variant(hosting.model(), count=2)) for _ in range(2))
    endpoint = hosting.endpoint(blue)
    update(hosting, endpoint, green, DeploymentConfig=routing("CANARY", 600, CanarySize=50))
    words = f'Cannot update in-progress endpoint ".*endpoint/{endpoint}"'
    with pytest.raises(ClientError, match=words):
        update(hosting, endpoint, green)
    with pytest.raises(ClientError, match=words):
        hosting.sagemaker.delete_endpoint(EndpointName=endpoint)
    wish = {"VariantName": "AllTraffic", "DesiredInstanceCount": 1}
    with pytest.raises(ClientError, match=words):
        hosting.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=endpoint, DesiredWeightsAndCapacities=[wish]
        )
    baking(hosting, endpoint, "50%")
    hosting.advance(1321)
    hosting.settled(endpoint)


def test_a_capacity_is_really_there_and_an_update_may_keep_it(hosting: Hosting) -> None:
    """botocore: UpdateEndpointWeightsAndCapacities; UpdateEndpoint.RetainAllVariantProperties."""
    model = hosting.model()
    first, second = (hosting.configuration(variant(model)) for _ in range(2))
    endpoint = hosting.endpoint(first)
    wish = {"VariantName": "AllTraffic", "DesiredInstanceCount": 2, "DesiredWeight": 3.0}
    hosting.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=endpoint, DesiredWeightsAndCapacities=[wish]
    )
    summary = hosting.settled(endpoint)["ProductionVariants"][0]
    assert summary["CurrentInstanceCount"] == summary["DesiredInstanceCount"] == 2
    assert summary["CurrentWeight"] == summary["DesiredWeight"] == 3.0
    with ThreadPoolExecutor(2) as pool:
        held = [pool.submit(hosting.invoke, endpoint, b"sleep 0.3") for _ in range(2)]
        assert [future.result() for future in held]

    update(hosting, endpoint, second, RetainAllVariantProperties=True)
    assert hosting.settled(endpoint)["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    update(hosting, endpoint, first)
    assert hosting.settled(endpoint)["ProductionVariants"][0]["CurrentInstanceCount"] == 1


def test_two_variants_share_the_requests_and_each_is_captured_and_measured(
    hosting: Hosting,
) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/model-ab-testing.html."""
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{hosting.bucket}/shared",
        "CaptureOptions": [{"CaptureMode": "Output"}],
    }
    configuration = hosting.configuration(
        variant(hosting.model("one"), "one", InitialVariantWeight=0.5),
        variant(hosting.model("two"), "two", InitialVariantWeight=0.5),
        DataCaptureConfig=capture,
    )
    endpoint = hosting.endpoint(configuration)
    found = hosting.settled(endpoint)["ProductionVariants"]
    assert [(v["VariantName"], v["CurrentWeight"], v["DesiredWeight"]) for v in found] == [
        ("one", 0.5, 0.5),
        ("two", 0.5, 0.5),
    ]
    answered = []
    for _ in range(40):
        answer = hosting.runtime.invoke_endpoint(EndpointName=endpoint, Body=b"image")
        assert answer["Body"].read().decode() == answer["InvokedProductionVariant"]
        answered.append(answer["InvokedProductionVariant"])
    # 40 draws at 0.5: all of one about once in 10^12 runs.
    counts = {name: answered.count(name) for name in ("one", "two")}
    assert all(counts.values())

    def captured() -> dict[str, int] | None:
        files = hosting.objects(f"shared/{endpoint}/")
        lines = {
            name: sum(b.count(b"\n") for key, b in files.items() if f"/{name}/" in key)
            for name in counts
        }
        return lines if sum(lines.values()) == 40 else None

    assert hosting.aws.eventually(captured) == counts
    now = datetime.now(UTC)

    def measured() -> dict[str, int] | None:
        sums = {}
        for name in counts:
            points = hosting.aws.client("cloudwatch").get_metric_statistics(
                Namespace="AWS/SageMaker",
                MetricName="Invocations",
                Dimensions=[
                    {"Name": "EndpointName", "Value": endpoint},
                    {"Name": "VariantName", "Value": name},
                ],
                StartTime=now - timedelta(days=365),
                EndTime=now + timedelta(days=365),
                Period=86_400 * 30,
                Statistics=["Sum"],
            )["Datapoints"]
            sums[name] = round(sum(point["Sum"] for point in points))
        return sums if sums == counts else None

    assert hosting.aws.eventually(measured)


def test_variants_of_one_name_and_more_than_ten_are_refused(hosting: Hosting) -> None:
    """botocore: CreateEndpointConfig.ProductionVariants; its reference says 10 at most."""
    model = hosting.model()
    with pytest.raises(ClientError, match='"same" was non-unique'):
        hosting.configuration(variant(model, "same"), variant(model, "same"))
    with pytest.raises(ClientError, match="less than or equal to 10"):
        hosting.configuration(*(variant(model, f"v{i}") for i in range(11)))


def test_an_update_policy_needs_a_variant_of_the_old_name(hosting: Hosting) -> None:
    """.../deployment-guardrails-exclusions.html; a second variant may come and go beside it."""
    model = hosting.model()
    alone, other, both = (
        hosting.configuration(*variants)
        for variants in (
            (variant(model, "one"),),
            (variant(model, "two"),),
            (variant(model, "one"), variant(model, "two")),
        )
    )
    endpoint, policy = hosting.endpoint(alone), routing("ALL_AT_ONCE", 0)
    policy["BlueGreenUpdatePolicy"]["TerminationWaitInSeconds"] = 0
    with pytest.raises(ClientError, match="must have the same variant name as the old one, one"):
        update(hosting, endpoint, other, DeploymentConfig=policy)
    for configuration, count in ((both, 2), (alone, 1)):
        update(hosting, endpoint, configuration, DeploymentConfig=policy)
        assert len(hosting.settled(endpoint)["ProductionVariants"]) == count
    update(hosting, endpoint, other)
    assert hosting.settled(endpoint)["EndpointConfigName"] == other


def test_a_wish_for_a_variant_that_is_not_there_changes_nothing(hosting: Hosting) -> None:
    """botocore: UpdateEndpointWeightsAndCapacities."""
    endpoint = hosting.endpoint(hosting.configuration(variant(hosting.model())))
    wish = {"VariantName": "Other", "DesiredWeight": 1.0}
    with pytest.raises(ClientError, match="not present within endpoint configuration"):
        hosting.sagemaker.update_endpoint_weights_and_capacities(
            EndpointName=endpoint, DesiredWeightsAndCapacities=[wish]
        )
    assert hosting.settled(endpoint)["EndpointStatus"] == "InService"


def test_a_shadow_gets_copies_and_nobody_gets_its_answers(hosting: Hosting) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/model-shadow-deployment.html."""
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{hosting.bucket}/shadowed",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    }
    configuration = hosting.configuration(
        variant(hosting.model("seen"), "production"),
        ShadowProductionVariants=[variant(hosting.model("unseen"), "shadow")],
        DataCaptureConfig=capture,
    )
    endpoint = hosting.endpoint(configuration)
    found = hosting.settled(endpoint)
    assert [v["VariantName"] for v in found["ShadowProductionVariants"]] == ["shadow"]
    described = hosting.sagemaker.describe_endpoint_config(EndpointConfigName=configuration)
    assert described["ShadowProductionVariants"][0]["VariantName"] == "shadow"

    assert set(answers(hosting, endpoint, 5)) == {b"seen"}
    with pytest.raises(ClientError, match="'shadow'"):
        hosting.invoke(endpoint, TargetVariant="shadow")

    def captured() -> dict[str, bytes] | None:
        files = hosting.objects(f"shadowed/{endpoint}/")
        lines = {
            v: b"".join(b for k, b in files.items() if f"/{v}/" in k)
            for v in ("production", "shadow")
        }
        return lines if all(b.count(b"\n") == 5 for b in lines.values()) else None

    records = hosting.aws.eventually(captured)
    assert b"dW5zZWVu" in records["shadow"]  # "unseen" in Base64
    assert b"dW5zZWVu" not in records["production"]


def test_shadows_are_refused_where_aws_refuses_them(hosting: Hosting) -> None:
    """botocore: CreateEndpointConfig.ShadowProductionVariants: one of each."""
    model = hosting.model()
    shadow = [variant(model, "shadow")]
    with pytest.raises(ClientError, match="one variant can be given"):
        hosting.configuration(
            variant(model, "a"), variant(model, "b"), ShadowProductionVariants=shadow
        )
    serverless = {
        "VariantName": "a",
        "ModelName": model,
        "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1},
    }
    with pytest.raises(ClientError, match="not supported for serverless"):
        hosting.configuration(serverless, ShadowProductionVariants=shadow)


def test_an_instance_type_of_today_is_taken_and_an_invented_one_is_not(hosting: Hosting) -> None:
    """botocore: ProductionVariantInstanceType."""
    model = hosting.model()
    assert hosting.configuration(variant(model, InstanceType="ml.c7i.large"))
    with pytest.raises(ClientError, match="Member must satisfy enum value set"):
        hosting.configuration(variant(model, InstanceType="ml.none.large"))


def test_two_hundred_requests_at_once_are_all_answered(hosting: Hosting) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html."""
    endpoint = hosting.endpoint(hosting.configuration(variant(hosting.model("all"))))
    runtime = boto3.client(
        "sagemaker-runtime",
        endpoint_url=hosting.aws.local.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=200),
    )

    def ask(_: int) -> bytes:
        answer = runtime.invoke_endpoint(EndpointName=endpoint, Body=b"sleep 0.2")
        return answer["Body"].read()

    with ThreadPoolExecutor(200) as pool:
        assert list(pool.map(ask, range(200))) == [b"all"] * 200
