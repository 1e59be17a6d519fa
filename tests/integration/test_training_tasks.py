"""The tasks that train, on a drawn dataset: a search by SageMaker, and the built-in algorithm."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from local_aws.control import LocalAws
from scones_core.errors import TrainingError
from scones_toolkit.project import Project
from scones_toolkit.tasks.local import model_images
from scones_toolkit.tasks.training.candidates import registry
from scones_toolkit.tasks.training.train import train
from scones_toolkit.tasks.training.tune import tune
from scones_train.sagemaker.model_package import PENDING
from scones_train.sagemaker.registry import Candidate
from scones_train.sagemaker.tuning_job_request import RANGES
from tests.support.environments.training import ALGORITHM, ROLE, Applied, applied, started
from tests.support.photos import draw_photos


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Applied]:
    """A project in an embedded AWS of its own, 48 drawn images staged there."""
    root = tmp_path_factory.mktemp("project")
    home, images = root / ".local" / "aws", model_images(Project(root))
    with LocalAws.start(home, 0, images, keep=False) as local:
        yield applied(root, local, draw_photos(root / "photos"))


def search(project: Applied, strategy: str = "bayesian") -> Any:
    return tune(project, strategy=strategy, jobs=2, parallel=1)


def builtin(project: Applied) -> Candidate:
    made = train(project, backend="sagemaker", algorithm="builtin")
    assert isinstance(made, Candidate)
    return made


def artifact_bytes(project: Applied, url: str) -> int:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    size: int = project.client("s3").head_object(Bucket=bucket, Key=key)["ContentLength"]
    return size


def test_a_search_shows_its_trainings_and_the_best_becomes_a_candidate(project: Applied) -> None:
    found = search(project)
    rows = re.findall(r"^(scones-\S+) +(\d\.\d{4})((?: +[\d.e-]+)+)$", project.shown, re.M)
    assert len(rows) == 2
    assert rows[0][0] == found.name
    assert float(rows[0][1]) >= float(rows[1][1])
    assert all(len(values.split()) == len(RANGES) for _, _, values in rows)

    candidate = next(registry(project).all())
    job = project.client("sagemaker").describe_training_job(TrainingJobName=found.name)
    assert (candidate.status, candidate.training.job) == (PENDING, found.name)
    assert candidate.training.model_data_url == job["ModelArtifacts"]["S3ModelArtifacts"]
    assert candidate.training.metrics["calibration_accuracy"] == pytest.approx(found.objective)
    assert artifact_bytes(project, candidate.training.model_data_url) > 0
    left = project.records.read("training")
    assert (left["job_name"], left["model_data_url"]) == (
        found.name,
        candidate.training.model_data_url,
    )


def test_the_built_in_algorithm_leaves_an_artifact_and_a_candidate(project: Applied) -> None:
    made = builtin(project)
    job = project.client("sagemaker").describe_training_job(TrainingJobName=made.training.job)
    parameters = job["HyperParameters"]
    assert (parameters["num_training_samples"], parameters["image_shape"]) == ("34", "3,16,16")
    assert job["AlgorithmSpecification"]["TrainingImage"] == ALGORITHM
    assert (made.status, made.training.algorithm, made.training.image) == (
        PENDING,
        "builtin",
        ALGORITHM,
    )
    assert 0 <= made.training.metrics["validation:accuracy"] <= 1
    assert artifact_bytes(project, made.training.model_data_url) > 0
    assert next(registry(project).all()) == made


def with_settings(project: Applied, section: str, **values: Any) -> Applied:
    return replace(project, settings=project.settings.override(section, **values))


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"mini_batch_size": 35}, "mini_batch_size is 35, and there are 34 training images"),
        ({"instance_type": "ml.m5.xlarge"}, "does not train on ml.m5.xlarge"),
        ({"learning_rate": 2.0}, "learning_rate must be 0 to 1"),
    ],
)
def test_what_the_built_in_algorithm_would_refuse_starts_no_instance(
    project: Applied, values: dict[str, Any], named: str
) -> None:
    before = started(project)
    with pytest.raises(TrainingError, match=named):
        builtin(with_settings(project, "builtin", **values))
    assert started(project) == before


def test_an_unknown_search_starts_no_instance(project: Applied) -> None:
    before = started(project)
    with pytest.raises(TrainingError, match="--strategy is one of"):
        search(project, "grid")
    with pytest.raises(TrainingError, match="not worst"):
        search(with_settings(project, "training", recipe="worst"))
    assert started(project) == before


@pytest.mark.parametrize("task", [search, builtin])
def test_a_role_that_sagemaker_may_not_assume_starts_no_instance(
    project: Applied, task: Any
) -> None:
    iam, before = project.client("iam"), started(project)
    trust = iam.get_role(RoleName=ROLE)["Role"]["AssumeRolePolicyDocument"]
    other = json.loads(json.dumps(trust).replace("sagemaker.", "lambda."))
    iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=json.dumps(other))
    try:
        with pytest.raises(TrainingError, match=f"{ROLE} does not trust"):
            task(project)
    finally:
        iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=json.dumps(trust))
    assert started(project) == before


@pytest.mark.parametrize("task", [search, builtin])
def test_a_missing_role_starts_no_instance(project: Applied, task: Any) -> None:
    before = started(project)
    with pytest.raises(TrainingError, match=r"role/absent is not there; run `inv apply`"):
        task(replace(project, role="absent"))
    assert started(project) == before


@dataclass(frozen=True)
class NoInstances:
    """An account whose quota for this kind of instance is none."""

    instance_type: str

    def list_service_quotas(self, **_: Any) -> dict[str, Any]:
        name = f"{self.instance_type} for training job usage"
        return {"Quotas": [{"QuotaName": name, "Value": 0.0, "QuotaCode": "L-1"}]}


@pytest.mark.parametrize("task", [search, builtin])
def test_a_quota_of_none_starts_no_instance(project: Applied, task: Any) -> None:
    before, settings = started(project), project.settings
    kind = settings.builtin if task is builtin else settings.training
    account = project.of_account(NoInstances(kind.instance_type))
    with pytest.raises(TrainingError, match=r"for training job usage' is 0 \(code L-1\)"):
        task(account)
    assert started(project) == before
