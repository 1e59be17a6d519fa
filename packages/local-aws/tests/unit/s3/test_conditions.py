from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from moto.s3.exceptions import MissingKey, PreconditionFailed
from moto.s3.models import s3_backends

from local_aws.s3.conditions import locked, require_target

pytestmark = pytest.mark.usefixtures("patched_moto")


def request(s3: Any, **headers: str) -> Any:
    """Return a request that writes the object k of a bucket."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    fields = {"backend": s3, "bucket_name": "conditional", "headers": named}
    return SimpleNamespace(**fields, parse_key_name=lambda: "k")


@pytest.fixture
def s3() -> Any:
    found = s3_backends["123456789012"]["aws"]
    found.reset()
    found.create_bucket("conditional", "us-east-1")
    return found


def test_an_object_that_came_since_the_condition_was_checked_is_not_replaced(s3: Any) -> None:
    response = request(s3, If_None_Match="*")
    with locked(response):
        require_target(response)
        meanwhile(s3, b"acknowledged")
        with pytest.raises(PreconditionFailed):
            s3.put_object("conditional", "k", b"late")
    assert s3.get_object("conditional", "k").value == b"acknowledged"


def meanwhile(s3: Any, body: bytes) -> None:
    """Store an object as another thread does."""
    thread = Thread(target=s3.put_object, args=("conditional", "k", body))
    thread.start()
    thread.join(20)


def test_an_object_that_was_replaced_or_deleted_meanwhile_is_left(s3: Any) -> None:
    etag = s3.put_object("conditional", "k", b"first").etag
    response = request(s3, If_Match=etag)
    with locked(response):
        meanwhile(s3, b"second")
        with pytest.raises(PreconditionFailed):
            s3.delete_object("conditional", "k")
    assert s3.get_object("conditional", "k").value == b"second"
    s3.delete_object("conditional", "k")
    with locked(response), pytest.raises(MissingKey):
        s3.put_object("conditional", "k", b"third")
    assert s3.get_object("conditional", "k") is None


def test_a_condition_that_holds_is_checked_once(s3: Any) -> None:
    with locked(request(s3, If_None_Match="*")):
        s3.put_object("conditional", "k", b"first")
        s3.put_object("conditional", "k", b"second")
    assert s3.get_object("conditional", "k").value == b"second"
