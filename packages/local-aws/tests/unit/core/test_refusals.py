import json
from typing import Any
from xml.etree import ElementTree

import pytest

from local_aws.core.refusals import error_body, refuse_action

SAID = "Value 'a\0\x1b' is wrong."


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "application/xml"])
def test_an_error_that_repeats_what_xml_cannot_hold_can_be_read(kind: str) -> None:
    _, text = error_body({"CONTENT_TYPE": kind}, "Wrong", SAID)
    found = ElementTree.fromstring(text).iter("Message")  # noqa: S314 - its own text
    assert [one.text for one in found] == ["Value 'a??' is wrong."]


def test_an_actions_error_repeats_no_control_characters() -> None:
    class Answering:
        def serialized(self, result: Any) -> Any:
            return 400, {}, json.dumps(result.result.message)

    assert refuse_action(Answering(), "Wrong", SAID)[2] == json.dumps("Value 'a??' is wrong.")
