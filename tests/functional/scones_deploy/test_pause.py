"""Jobs that run are found by their tags and stopped; one that ends meanwhile holds nothing up."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from scones_deploy.pause import KINDS, Kind, running, stop
from scones_deploy.removal import Owner

OWN = [{"Key": "Project", "Value": "scones"}, {"Key": "Environment", "Value": "dev"}]
JOBS = [kind for kind in KINDS if kind.label.endswith("job")]


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "any")


class SageMaker:
    """SageMaker with three running jobs of one kind: an own one, another's, and one just gone."""

    def __init__(self, kind: Kind, *, refusal: str = "") -> None:
        self.kind, self.refusal = kind, refusal
        self.stopped: list[str] = []

    def can_paginate(self, _: str) -> bool:
        return False

    def list_tags(self, *, ResourceArn: str) -> dict[str, Any]:
        if ResourceArn == "gone":
            raise refused("ValidationException")
        return {"Tags": OWN if ResourceArn.startswith("own") else []}

    def _listed(self) -> dict[str, Any]:
        prefix = self.kind.prefix
        runs = (*self.kind.running, "InService")[0]
        named = {"own": runs, "theirs": runs, "gone": runs}
        if self.kind in JOBS:
            named["own-ended"] = "Completed"
        return {
            self.kind.items: [
                {f"{prefix}Name": name, f"{prefix}Arn": name, f"{prefix}Status": status}
                for name, status in named.items()
            ]
        }

    def __getattr__(self, operation: str) -> Any:
        if operation == self.kind.lists:
            return self._listed
        for kind in KINDS:
            if operation == kind.lists:
                return lambda: {kind.items: []}
        if operation == self.kind.stops:
            return self._stop
        raise AttributeError(operation)

    def _stop(self, **given: str) -> None:
        if self.refusal:
            raise refused(self.refusal)
        self.stopped += given.values()


@pytest.mark.parametrize("kind", JOBS, ids=lambda kind: kind.label)
def test_a_running_job_of_the_owner_is_stopped(kind: Kind) -> None:
    sagemaker = SageMaker(kind)
    (found,) = running(sagemaker, Owner("scones", "dev"))
    assert stop(sagemaker, found)
    assert sagemaker.stopped == ["own"]


def test_a_job_that_has_ended_since_it_was_listed_is_none_that_was_stopped() -> None:
    sagemaker = SageMaker(JOBS[0], refusal="ValidationException")
    (found,) = running(sagemaker, Owner("scones", "dev"))
    assert not stop(sagemaker, found)


@pytest.mark.parametrize(
    ("kind", "refusal"),
    [
        (JOBS[0], "AccessDeniedException"),
        # Such as while it changes: it goes on billing.
        *((kind, "ValidationException") for kind in KINDS if kind not in JOBS),
    ],
)
def test_any_other_refusal_is_reported(kind: Kind, refusal: str) -> None:
    sagemaker = SageMaker(kind, refusal=refusal)
    (found,) = running(sagemaker, Owner("scones", "dev"))
    with pytest.raises(ClientError, match=refusal):
        stop(sagemaker, found)
