import json
from typing import Any
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError

from scones_core.errors import TrainingError
from scones_train.sagemaker.role_and_quota_checks import require_quota, require_role
from scones_train.sagemaker.training_job_request import Compute

ROLE = "arn:aws:iam::123456789012:role/scones-dev-training"
COMPUTE = Compute("ml.g5.xlarge", 600)
SPOT = Compute("ml.g5.xlarge", 600, spot=True)


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "Operation")


def trust(service: str | list[str], effect: str = "Allow") -> dict[str, Any]:
    statement = {"Effect": effect, "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"Statement": [statement]}


class Iam:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def get_role(self, *, RoleName: str) -> dict[str, Any]:
        assert RoleName == "scones-dev-training"
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"Role": {"AssumeRolePolicyDocument": self.answer}}


class Quotas:
    def __init__(self, *pages: ClientError | list[dict[str, Any]]) -> None:
        self.pages = pages

    def list_service_quotas(self, **request: str) -> dict[str, Any]:
        assert request["ServiceCode"] == "sagemaker"
        if isinstance(self.pages[0], Exception):
            raise self.pages[0]
        place = int(request.get("NextToken", "0"))
        more = {"NextToken": str(place + 1)} if place + 1 < len(self.pages) else {}
        return {"Quotas": self.pages[place], **more}


def quota(name: str, value: int) -> dict[str, Any]:
    return {"QuotaName": name, "Value": value, "QuotaCode": "L-1"}


@pytest.mark.parametrize(
    "document",
    [
        trust("sagemaker.amazonaws.com"),
        trust(["lambda.amazonaws.com", "sagemaker.amazonaws.com"]),
        quote(json.dumps(trust("sagemaker.amazonaws.com"))),
        {"Statement": {"Effect": "Allow", "Principal": "*"}},
    ],
)
def test_a_role_that_trusts_sagemaker_passes(document: str | dict[str, Any]) -> None:
    require_role(Iam(document), ROLE, pytest.fail)


@pytest.mark.parametrize("document", [trust("lambda.amazonaws.com"), {}, None])
def test_a_role_that_does_not_is_refused(document: dict[str, Any] | None) -> None:
    with pytest.raises(TrainingError, match="does not trust"):
        require_role(Iam(document), ROLE, pytest.fail)


def test_a_denial_is_no_trust() -> None:
    with pytest.raises(TrainingError, match="does not trust"):
        require_role(Iam(trust("sagemaker.amazonaws.com", "Deny")), ROLE, pytest.fail)


def test_an_absent_role_is_named_and_one_that_may_not_be_read_is_reported() -> None:
    with pytest.raises(TrainingError, match=f"{ROLE} is not there"):
        require_role(Iam(refusal("NoSuchEntity")), ROLE, pytest.fail)
    said: list[str] = []
    require_role(Iam(refusal("AccessDenied")), ROLE, said.append)
    assert "was not checked" in said[0]


def test_a_quota_of_none_is_refused_with_its_code_on_whatever_page_it_stands() -> None:
    pages = [quota("other", 0)], [quota("ml.g5.xlarge for training job usage", 0)]
    with pytest.raises(TrainingError, match=r"'ml.g5.xlarge for training job usage' is 0.*L-1"):
        require_quota(Quotas(*pages), COMPUTE, pytest.fail)


def test_spot_instances_count_against_a_quota_of_their_own() -> None:
    pages = [
        quota("ml.g5.xlarge for training job usage", 0),
        quota("ml.g5.xlarge for spot training job usage", 2),
    ]
    require_quota(Quotas(pages), SPOT, pytest.fail)


def test_an_account_that_lists_no_such_quota_or_denies_the_look_goes_on() -> None:
    require_quota(Quotas([]), COMPUTE, pytest.fail)
    said: list[str] = []
    require_quota(Quotas(refusal("AccessDenied")), COMPUTE, said.append)
    assert "was not checked" in said[0]
