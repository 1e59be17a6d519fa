import json
import math
import socket
from typing import Any

import pytest
from botocore.exceptions import ClientError

from scones_core.errors import (
    EndpointNotFound,
    EndpointThrottled,
    EndpointUnavailable,
    ImageNotFound,
    ImageTooLarge,
    InvalidInference,
    InvalidRequest,
    SettingsError,
    UnsupportedImage,
)
from scones_core.events import INLINE_IMAGES, MAX_STATE_BYTES
from scones_core.limits import ENDPOINT_BODY_BYTES
from scones_lambdas import clients, serialize_image
from scones_lambdas.classify_image import handler
from scones_lambdas.environment import FilterEnvironment
from scones_lambdas.filter_inferences import decide
from tests.functional.scones_lambdas.conftest import (
    BUCKET,
    Endpoint,
    Reply,
    forget_settings,
    picture,
    put,
)

pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture
def serialized(context: Any) -> dict[str, Any]:
    """An image as serialize_image gives it."""
    image = put("in/one.png", picture())
    event = {"image": image, "execution": "arn:one", "index": 3}
    return dict(serialize_image.handler(event, context))


def test_sends_the_object_with_its_type_and_inference_id(
    serialized: dict[str, Any], world: Endpoint
) -> None:
    handler(serialized)
    [(path, headers, body)] = world.requests
    stored = clients.s3().get_object(Bucket=BUCKET, Key="in/one.png")["Body"].read()
    assert path == "/endpoints/scones-test/invocations"
    assert body == stored
    assert headers["Content-Type"] == "image/png"
    assert headers["Accept"] == "application/json"
    assert headers["X-Amzn-SageMaker-Inference-Id"] == serialized["inference_id"]


def test_returns_the_likeliest_labels_and_their_probabilities(serialized: dict[str, Any]) -> None:
    result = handler(serialized)
    assert result == {
        "image": serialized["image"],
        "inference": {
            "label": "motorcycle",
            "confidence": 0.75,
            "probabilities": {"motorcycle": 0.75, "bicycle": 0.25},
            "inference_id": serialized["inference_id"],
            "variant": "main",
        },
    }
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_any_number_of_labels_works(
    serialized: dict[str, Any], world: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABELS", '["bicycle", "motorcycle", "van"]')
    forget_settings()
    world.reply.body = [0.1, 0.2, 0.7]
    assert handler(serialized)["inference"]["label"] == "van"


def test_an_answer_of_a_release_that_is_rolled_out_is_read_by_its_own_classes(
    serialized: dict[str, Any], world: Endpoint
) -> None:
    world.reply.body, world.reply.attributes = [0.1, 0.2, 0.7], "labels=motorcycle,bicycle,van"
    found = handler(serialized)["inference"]
    assert found["probabilities"] == {"van": 0.7, "bicycle": 0.2, "motorcycle": 0.1}


@pytest.mark.parametrize("attributes", ["labels=", "labels=van", "labels=van,van", "top_k=5"])
def test_attributes_that_name_no_classes_leave_those_of_the_release(
    serialized: dict[str, Any], world: Endpoint, attributes: str
) -> None:
    world.reply.attributes = attributes
    assert handler(serialized)["inference"]["label"] == "motorcycle"


@pytest.fixture
def a_thousand(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A thousand long names, which lie in an object."""
    names = [f"maker_{number % 40:02d}-model-{number:04d}-" + "x" * 40 for number in range(1000)]
    put("labels/1.json", json.dumps(names).encode())
    monkeypatch.setenv("LABELS", f"s3://{BUCKET}/labels/1.json")
    forget_settings()
    return names


def test_a_thousand_labels_come_from_an_object_and_a_batch_of_results_fits_into_a_state(
    a_thousand: list[str], serialized: dict[str, Any], world: Endpoint
) -> None:
    share = 0.4 / 999
    world.reply.body = [share] * 500 + [0.6] + [share] * 499
    classified = handler(serialized)
    inference = classified["inference"]
    assert inference["label"] == a_thousand[500]
    assert list(inference["probabilities"]) == [a_thousand[500], *a_thousand[:2]]
    result = decide(classified, FilterEnvironment(0.9))
    assert len(json.dumps([result] * INLINE_IMAGES)) < MAX_STATE_BYTES


def test_labels_that_are_absent_or_no_list_are_a_settings_error(
    serialized: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABELS", f"s3://{BUCKET}/labels/none.json")
    forget_settings()
    with pytest.raises(SettingsError, match=r"labels/none\.json.*apply the Terraform again"):
        handler(serialized)
    put("labels/none.json", b"{}")
    with pytest.raises(SettingsError, match="LABELS"):
        handler(serialized)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"oops",
        b"[NaN, 1.0]",
        b"[Infinity, 0.5]",
        b"[1e400, 0]",
        b"[-0.1, 1.1]",
        b"[1.0]",
        b"[0.2, 0.3, 0.5]",
        b"[0.4, 0.4]",
        b"[2.1, -3.4]",
        b"[true, false]",
        b'["0.4", "0.6"]',
        b'{"bicycle": 1}',
        b'"[0.4, 0.6]"',
        b"[[0.4, 0.6]]",
        b"null",
        b"\xff\xfe",
        b"[" * 60_000,
        b"[" + b"9" * 5_000 + b", 0]",
        b"[0.4, 0.6" + b" " * 70_000 + b"]",
    ],
)
def test_an_answer_that_is_no_probability_for_each_label_is_refused(
    body: bytes, serialized: dict[str, Any], world: Endpoint
) -> None:
    world.reply.body = body
    with pytest.raises(InvalidInference) as raised:
        handler(serialized)
    assert len(str(raised.value)) < 400


def test_probabilities_rounded_to_four_decimals_are_taken(
    serialized: dict[str, Any], world: Endpoint
) -> None:
    world.reply.body = [0.9334, 0.0665]
    assert math.isclose(handler(serialized)["inference"]["confidence"], 0.9334)


def model_error(status: int, message: str = "cannot decode") -> dict[str, Any]:
    return {"OriginalStatusCode": status, "OriginalMessage": message, "Message": "from model"}


NOT_FOUND = "Endpoint scones-test of account 123456789012 not found."


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ((model_error(400), 424, "ModelError"), UnsupportedImage),
        ((model_error(413), 424, "ModelError"), UnsupportedImage),
        ((model_error(415), 424, "ModelError"), UnsupportedImage),
        ((model_error(429), 424, "ModelError"), EndpointThrottled),
        ((model_error(500), 424, "ModelError"), EndpointUnavailable),
        ((model_error(503), 424, "ModelError"), EndpointUnavailable),
        (({"Message": NOT_FOUND}, 400, "ValidationError"), EndpointNotFound),
        (({"Message": "Variant x is wrong"}, 400, "ValidationError"), InvalidRequest),
        (({"Message": "Rate exceeded"}, 400, "ThrottlingException"), EndpointThrottled),
        (({"Message": "Slow down"}, 429, "TooManyRequests"), EndpointThrottled),
        (({"Message": "Wait"}, 429, "ModelNotReadyException"), EndpointUnavailable),
        (({"Message": "Oops"}, 500, "InternalFailure"), EndpointUnavailable),
        (({"Message": "Oops"}, 503, "ServiceUnavailable"), EndpointUnavailable),
        (({"Message": "Oops"}, 530, "InternalDependencyException"), EndpointUnavailable),
        ((b"<html>Bad gateway</html>", 502, ""), EndpointUnavailable),
    ],
)
def test_a_fault_of_the_endpoint_has_its_own_name(
    reply: tuple[Any, int, str],
    expected: type[Exception],
    serialized: dict[str, Any],
    world: Endpoint,
) -> None:
    world.reply = Reply(*reply)
    with pytest.raises(expected, match="scones-test") as raised:
        handler(serialized)
    assert type(raised.value) is expected
    assert isinstance(raised.value.__cause__, ClientError)
    assert len(world.requests) == 1, "the state machine retries, not the client"


def test_a_fault_that_no_image_causes_keeps_its_own_name(
    serialized: dict[str, Any], world: Endpoint
) -> None:
    world.reply = Reply({"Message": "not yours"}, 403, "AccessDeniedException")
    with pytest.raises(ClientError, match="AccessDeniedException"):
        handler(serialized)


def test_the_model_s_own_message_is_passed_on(serialized: dict[str, Any], world: Endpoint) -> None:
    world.reply = Reply(model_error(415, "bad chunk " * 100), 424, "ModelError")
    with pytest.raises(UnsupportedImage, match="bad chunk") as raised:
        handler(serialized)
    assert len(str(raised.value)) < 500


def test_a_hung_up_connection_is_unavailable(serialized: dict[str, Any], world: Endpoint) -> None:
    world.reply = Reply(status=0)
    with pytest.raises(EndpointUnavailable, match="did not answer"):
        handler(serialized)


@pytest.mark.usefixtures("new_clients")
def test_nobody_listening_is_unavailable(
    serialized: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", url)
        clients.sagemaker_runtime.cache_clear()
        with pytest.raises(EndpointUnavailable, match="did not answer"):
            handler(serialized)


@pytest.mark.parametrize("name", ["", "  ", None])
def test_without_an_active_release_there_is_no_endpoint(
    name: str | None,
    serialized: dict[str, Any],
    world: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ENDPOINT_NAME") if name is None else monkeypatch.setenv(
        "ENDPOINT_NAME", name
    )
    forget_settings()
    with pytest.raises(EndpointNotFound, match="No endpoint is deployed"):
        handler(serialized)
    assert world.requests == []


def test_an_object_replaced_between_two_steps_is_not_classified(
    serialized: dict[str, Any], world: Endpoint
) -> None:
    put("in/one.png", picture(size=(8, 8)))
    with pytest.raises(ImageNotFound, match="was replaced"):
        handler(serialized)
    assert world.requests == []


def test_an_object_deleted_between_two_steps_is_not_found(serialized: dict[str, Any]) -> None:
    clients.s3().delete_object(Bucket=BUCKET, Key="in/one.png")
    with pytest.raises(ImageNotFound, match="There is no object"):
        handler(serialized)


def test_more_bytes_than_the_endpoint_takes_are_not_sent(
    serialized: dict[str, Any], world: Endpoint
) -> None:
    put("in/big.png", picture() + bytes(ENDPOINT_BODY_BYTES))
    head = clients.s3().head_object(Bucket=BUCKET, Key="in/big.png")
    serialized["image"].update(key="in/big.png", etag=head["ETag"])
    with pytest.raises(ImageTooLarge, match=str(ENDPOINT_BODY_BYTES)):
        handler(serialized)
    assert world.requests == []


@pytest.mark.parametrize("missing", ["etag", "content_type", "key"])
def test_an_image_that_was_not_serialized_is_refused(
    missing: str, serialized: dict[str, Any]
) -> None:
    del serialized["image"][missing]
    with pytest.raises(InvalidRequest):
        handler(serialized)


@pytest.mark.parametrize("event", [None, {}, {"image": 1}, [], {"image": {}}])
def test_an_event_of_another_form_is_refused(event: Any) -> None:
    with pytest.raises(InvalidRequest):
        handler(event)
