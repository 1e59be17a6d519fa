from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from scones_core.errors import WorkflowError
from scones_core.events import parse_image_ref
from scones_lambdas.classify_image import parse_serialized
from scones_lambdas.environment import FilterEnvironment
from scones_lambdas.filter_inferences import decide, parse_classified
from scones_lambdas.serialize_image import parse_event

NAMES = ["image", "execution", "index", "bucket", "key", "etag", "content_type", "inference_id"]
NAMES += ["inference", "label", "confidence", "variant"]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=6)
    ),
    max_leaves=20,
)


@given(event=JSON)
def test_any_event_is_an_item_with_its_position_or_refused(event: Any) -> None:
    try:
        item, execution, index = parse_event(event, "request")
        image = parse_image_ref(item)
    except WorkflowError as error:
        assert str(error).endswith(".")
        return
    assert isinstance(execution, str)
    assert isinstance(index, int)
    assert image["bucket"]
    assert image["key"]


@given(event=JSON)
def test_any_event_is_a_serialized_image_or_refused(event: Any) -> None:
    try:
        serialized = parse_serialized(event)
    except WorkflowError:
        return
    assert serialized["image"]["etag"]
    assert len(serialized["inference_id"]) > 0


@given(confidence=JSON)
def test_any_confidence_is_decided_or_refused(confidence: Any) -> None:
    inference = {"label": "a", "inference_id": "b", "variant": "", "confidence": confidence}
    event = {"image": {"bucket": "b", "key": "k"}, "inference": inference}
    try:
        result = decide(parse_classified(event), FilterEnvironment(0.5))
    except WorkflowError:
        return
    assert (result["decision"] == "accepted") is (0.5 <= confidence <= 1)


@given(event=JSON)
def test_any_event_is_a_classified_image_or_refused(event: Any) -> None:
    try:
        decide(parse_classified(event), FilterEnvironment(0.5))
    except WorkflowError as error:
        assert str(error)
