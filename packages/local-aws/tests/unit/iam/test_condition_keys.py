"""Which condition keys have values here, and where that is said."""

import logging
import re
from pathlib import Path

import pytest

from local_aws.iam import resource_policies
from local_aws.iam.condition_keys import TAGGED, absent_keys, computed_keys, is_known

PAGE = Path(__file__).parents[3] / "docs" / "condition-keys.md"


def test_the_page_names_each_key_that_has_a_value() -> None:
    named = re.findall(r"`([\w.-]+:[\w/:-]+)`", PAGE.read_text(encoding="utf-8"))
    assert sorted(named) == sorted([*computed_keys(), *absent_keys()])


def test_tags_of_resources_are_found_for_the_services_that_are_said_to_have_them() -> None:
    assert set(resource_policies._TAG_FINDERS) == TAGGED


@pytest.mark.parametrize(
    ("key", "service", "known"),
    [
        ("aws:SourceIp", "s3", True),
        ("AWS:sourceip", "s3", True),
        ("aws:SourceVpc", "s3", True),
        ("aws:PrincipalTag/team", "s3", True),
        ("aws:ResourceTag/team", "dynamodb", True),
        ("aws:ResourceTag/team", "ec2", False),
        ("aws:SuorceIp", "s3", False),
        ("s3:prefix", "s3", True),
        ("s3:prefix2", "s3", False),
        ("s3:prefix2", "sqs", True),  # another service's has no value in AWS either
        ("dynamodb:Attributes", "dynamodb", False),
        ("token.actions.githubusercontent.com:sub", "sts", True),
        ("nosuchservice:key", "s3", False),
    ],
)
def test_what_is_known_of_a_key(key: str, service: str, known: bool) -> None:
    assert is_known(key, service) is known


def test_a_key_without_a_value_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert not is_known("logs:OnlyInThisTest", "logs")
    assert "'logs:OnlyInThisTest'" in caplog.text
