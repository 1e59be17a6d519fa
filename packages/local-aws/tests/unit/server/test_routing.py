from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from local_aws.server.routing import is_absent, refuse_unknown_region


class Form(dict[str, str]):
    """Parameters that count how often all of them are looked at."""

    looks = 0

    def __iter__(self) -> Iterator[str]:
        self.looks += 1
        return super().__iter__()


FORM = {"Tags.member.1.Key": "k", "Tags.member.10.Key": "k", "Name": "n"}


@pytest.mark.parametrize(
    ("prefix", "absent"),
    [
        ("", False),
        ("Tags", False),
        ("Tags.member.1", False),
        ("Tags.member.1.Key", False),
        ("Name", False),
        ("Tags.member.2", True),
        ("Nam", True),
        ("Name.member", True),
    ],
)
def test_a_parameter_is_found_by_its_name_and_by_those_within_it(prefix: str, absent: bool) -> None:
    assert is_absent(None, SimpleNamespace(), FORM, prefix) is absent


def test_the_parameters_of_a_form_are_looked_through_once() -> None:
    form, parser = Form(FORM), SimpleNamespace()
    for number in range(100):
        is_absent(None, parser, form, f"Tags.member.{number}")
    assert form.looks == 1


def test_a_name_of_any_number_of_levels_takes_little_memory() -> None:
    parser = SimpleNamespace()
    is_absent(None, parser, ["a" + ".member.1" * 50_000], "a")
    assert len(parser.local_aws_names) < 100


@pytest.mark.parametrize(
    ("service", "code"),
    [("sqs", "InvalidSignatureException"), ("sns", "SignatureDoesNotMatch")],
)
def test_a_region_that_does_not_exist_is_refused(service: str, code: str) -> None:
    def serialized(result: Any) -> Any:
        return 400, {}, (result.result.code, result.result.message)

    def request(region: str) -> Any:
        asked = {"region": region, "boto3_service_name": service, "serialized": serialized}
        return refuse_unknown_region(lambda _: "done", SimpleNamespace(**asked))

    said = "Credential should be scoped to a valid region, not 'nowhere-1'. "
    assert request("nowhere-1") == (403, {"status": "403"}, (code, said))
    for region in ("us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1"):
        assert request(region) == "done"
