import time
from collections.abc import Iterator
from typing import Any

import pytest
from moto.s3.exceptions import MalformedXML
from moto.s3.models import s3_backends

from local_aws.s3.requests import require_deletable


def test_a_document_of_elements_without_an_end_is_read_in_one_pass() -> None:
    began = time.monotonic()
    with pytest.raises(MalformedXML):
        require_deletable("<Delete>" + "<Key>" * 200_000)
    assert time.monotonic() - began < 10


@pytest.fixture
def s3(patched_moto: None) -> Iterator[Any]:
    found = s3_backends["123456789012"]["aws"]
    found.reset()
    found.create_bucket("read", "us-east-1")
    yield found
    found.reset()


@pytest.mark.parametrize("versioned", [False, True])
def test_an_object_is_read_to_its_end_while_it_is_replaced_or_deleted(
    s3: Any, versioned: bool
) -> None:
    if versioned:
        s3.put_bucket_versioning("read", "Enabled")
    s3.put_object("read", "k", b"first")
    first = s3.get_object("read", "k")
    second = s3.put_object("read", "k", b"second")
    assert first.value == b"first"
    s3.delete_object("read", "k", version_id=second.version_id if versioned else None)
    assert second.value == b"second"
