"""Terraform over each resource type of a workflow like this one: deployed, changed, destroyed."""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from local_aws.control import ImageCommands, LocalAws
from local_aws.testing import PROGRAMS
from local_aws.testing.aws import ACCOUNT, Aws, package
from scones_deploy.terraform.binary import find_terraform
from scones_deploy.terraform.kept_provider import KeptProviders
from scones_deploy.terraform.providers import provider_source

_HERE = Path(__file__).parent
FUNCTION = "import os\n\ndef handler(event, context):\n    return [event, os.environ['STEP']]\n"


@dataclass(frozen=True)
class Configuration:
    """A root module whose resources go to an embedded AWS."""

    root: Path
    binary: Path
    environ: dict[str, str]
    kept: KeptProviders = field(default_factory=KeptProviders)

    def run(self, command: str, *arguments: str) -> str:
        kept = self.kept.environ(command, self.root, self.root / ".terraform", self.environ)
        done = subprocess.run(
            [self.binary, command, *arguments, "-no-color"],
            cwd=self.root,
            env=self.environ | kept,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, f"{command} {arguments}\n{done.stdout[-6000:]}\n{done.stderr}"
        return done.stdout

    def apply(self, step: str, model: str) -> str:
        """Apply these variables; return what Terraform said."""
        return self.run("apply", "-auto-approve", "-input=false", *given(step, model))

    def plan(self, step: str, model: str) -> None:
        """Plan with these variables; fails where there is anything to change."""
        self.run("plan", "-detailed-exitcode", *given(step, model))

    def destroy(self, step: str, model: str) -> None:
        self.run("destroy", "-auto-approve", "-refresh=false", *given(step, model))


def given(step: str, model: str) -> list[str]:
    values = {"account_id": ACCOUNT, "step": step, "model": model}
    return ["-parallelism=50", *(f"-var={name}={value}" for name, value in values.items())]


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Aws]:
    serve = (sys.executable, str(PROGRAMS / "stand_in_serve.py"))
    images = {"toy-*": ImageCommands(serve=serve)}
    with LocalAws.start(tmp_path / "aws", 0, images, keep=False) as local:
        yield Aws.of(local)


@pytest.fixture
def configuration(tmp_path: Path, aws: Aws) -> Configuration:
    aws.client("sqs").create_queue(QueueName="resources-dead")
    root = tmp_path / "root"
    shutil.copytree(_HERE / "terraform", root)
    (root / "function.zip").write_bytes(package({"app.py": FUNCTION}))
    (root / "layer.zip").write_bytes(package({"python/shared.py": "VALUE = 1\n"}))
    with tarfile.open(root / "model.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("weights"), io.BytesIO())
    environ = {**os.environ, **aws.local.environment()}
    found = provider_source(root, tmp_path, environ)
    configuration = Configuration(root, find_terraform(tmp_path, environ).path, dict(found.environ))
    configuration.run("init", "-input=false")
    return configuration


def served_model(aws: Aws) -> str:
    answer = aws.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="resources", Body=b"environment"
    )
    which: str = json.load(answer["Body"])["WHICH"]
    return which


@pytest.mark.slow
def test_every_resource_type_is_applied_changed_and_destroyed_without_a_rest(
    configuration: Configuration, aws: Aws
) -> None:
    before = there(aws)
    configuration.apply("first", "first")
    configuration.plan("first", "first")
    assert aws.invoke("resources", "x", Qualifier="live")[0] == ["x", "first"]
    assert served_model(aws) == "first"
    configuration.apply("second", "second")
    assert aws.invoke("resources", "x", Qualifier="live")[0] == ["x", "second"]
    assert served_model(aws) == "second"
    # The model is rolled back, and nothing else was left to change.
    said = configuration.apply("second", "first")
    assert "Plan: 1 to add, 1 to change, 1 to destroy." in said
    assert served_model(aws) == "first"
    configuration.plan("second", "first")
    configuration.destroy("second", "first")
    assert there(aws) == before


# What is listed of each service, and the field with its name.
LISTS = (
    ("application-autoscaling", "describe_scalable_targets", "ScalableTargets", "ResourceId"),
    ("budgets", "describe_budgets", "Budgets", "BudgetName"),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    ("cloudwatch", "describe_alarms", "CompositeAlarms", "AlarmName"),
    ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    ("ecr", "describe_repositories", "repositories", "repositoryName"),
    ("events", "list_event_buses", "EventBuses", "Name"),
    ("events", "list_rules", "Rules", "Name"),
    ("iam", "list_roles", "Roles", "RoleName"),
    ("kms", "list_aliases", "Aliases", "AliasName"),
    ("lambda", "list_event_source_mappings", "EventSourceMappings", "FunctionArn"),
    ("lambda", "list_functions", "Functions", "FunctionName"),
    ("lambda", "list_layers", "Layers", "LayerName"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("logs", "describe_metric_filters", "metricFilters", "filterName"),
    ("s3", "list_buckets", "Buckets", "Name"),
    ("sagemaker", "list_endpoint_configs", "EndpointConfigs", "EndpointConfigName"),
    ("sagemaker", "list_endpoints", "Endpoints", "EndpointName"),
    ("sagemaker", "list_model_package_groups", "ModelPackageGroupSummaryList", ""),
    ("sagemaker", "list_models", "Models", "ModelName"),
    ("scheduler", "list_schedule_groups", "ScheduleGroups", "Name"),
    ("scheduler", "list_schedules", "Schedules", "Name"),
    ("sns", "list_subscriptions", "Subscriptions", "TopicArn"),
    ("sns", "list_topics", "Topics", "TopicArn"),
    ("stepfunctions", "list_state_machines", "stateMachines", "name"),
)
ASKED = {
    "describe_scalable_targets": {"ServiceNamespace": "sagemaker"},
    "describe_budgets": {"AccountId": ACCOUNT},
}
# The logs of what has run stay, as on AWS.
RUNNING = ("/aws/lambda/", "/aws/sagemaker/")


def there(aws: Aws) -> dict[str, list[str]]:
    """Return what there is of each kind that the configuration makes."""
    found: dict[str, list[str]] = {
        "dynamodb": aws.client("dynamodb").list_tables()["TableNames"],
        "sqs": aws.client("sqs").list_queues().get("QueueUrls", []),
    }
    for service, operation, kind, key in LISTS:
        listed = getattr(aws.client(service), operation)(**ASKED.get(operation, {}))
        names = [str(one[key] if key else one) for one in listed.get(kind, [])]
        kept = (name for name in names if not name.startswith(RUNNING))
        found[f"{service} {kind}"] = sorted(kept)
    return found
