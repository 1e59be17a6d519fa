import gc
import weakref
from typing import Any

import pytest
from moto.s3.models import s3_backends
from moto.sqs.models import sqs_backends

import local_aws.server.request_cache  # noqa: F401 (it declares the patch)

pytestmark = pytest.mark.usefixtures("patched_moto")


def is_gone(found: "weakref.ref[Any]") -> bool:
    gc.collect()
    return found() is None


def test_nothing_is_kept_of_a_message_that_was_deleted() -> None:
    sqs = sqs_backends["123456789012"]["us-east-1"]
    sqs.create_queue("emptied", {})
    message = sqs.send_message("emptied", "body")
    assert message.body == "body"
    found = weakref.ref(message)
    del message
    sqs.purge_queue("emptied")
    assert is_gone(found)
    sqs.reset()


def test_the_body_of_a_replaced_object_goes_with_its_last_reader() -> None:
    s3 = s3_backends["123456789012"]["aws"]
    s3.create_bucket("replaced", "us-east-1")
    body = weakref.ref(s3.put_object("replaced", "k", b"first")._value_buffer)
    s3.put_object("replaced", "k", b"second")
    assert is_gone(body)
    s3.reset()
