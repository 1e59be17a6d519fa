import base64
import json
from typing import Any

import pytest

from local_aws.iam.post_policies import FormRefused, require_allowed

KEY = ["starts-with", "$key", "photos/"]


def policy(*conditions: Any) -> str:
    return base64.b64encode(json.dumps({"conditions": conditions}).encode()).decode()


def require(*conditions: Any, **fields: str) -> None:
    form = {"key": "photos/a", "policy": policy(*conditions), **fields}
    require_allowed(form, "b", 5)


@pytest.mark.parametrize(
    ("conditions", "fields"),
    [
        ([{"bucket": "b"}, {"key": "photos/a"}], {}),
        ([["eq", "$bucket", "b"], KEY], {"file": "f", "AWSAccessKeyId": "k", "signature": "s"}),
        ([KEY, ["starts-with", "$Content-Type", "image/"]], {"Content-Type": "image/png"}),
        ([KEY, {"x-amz-credential": "c"}], {"X-Amz-Credential": "c", "x-amz-signature": "s"}),
        ([KEY, ["starts-with", "$x-amz-meta-a", ""]], {"x-amz-meta-a": "anything"}),
        ([KEY], {"x-ignore-submit": "Send"}),
        ([KEY, ["content-length-range", 5, 5]], {}),
        ([KEY, ["content-length-range", "0", "10"]], {}),
    ],
)
def test_a_form_as_its_policy_says_is_allowed(
    conditions: list[Any], fields: dict[str, str]
) -> None:
    require(*conditions, **fields)


@pytest.mark.parametrize(
    ("conditions", "fields", "code", "says"),
    [
        ([{"key": "photos/b"}], {}, "AccessDenied", r'\["eq", "\$key", "photos/b"\]'),
        ([["starts-with", "$key", "own/"]], {}, "AccessDenied", "starts-with"),
        ([KEY, {"bucket": "other"}], {}, "AccessDenied", "bucket"),
        ([KEY, {"acl": "private"}], {"acl": "public-read"}, "AccessDenied", "acl"),
        ([KEY, {"acl": "private"}], {}, "AccessDenied", "acl"),
        ([KEY], {"acl": "public-read"}, "AccessDenied", "Extra input fields: acl"),
        ([], {}, "AccessDenied", "Extra input fields: key"),
        ([KEY, ["content-length-range", 6, 10]], {}, "EntityTooSmall", "smaller"),
        ([KEY, ["content-length-range", 0, 4]], {}, "EntityTooLarge", "exceeds"),
        ([KEY, 5], {}, "InvalidPolicyDocument", "Invalid JSON"),
        ([KEY, ["ends-with", "$key", "a"]], {}, "InvalidPolicyDocument", "Invalid JSON"),
        ([KEY, ["eq", "key", "a"]], {}, "InvalidPolicyDocument", "Invalid JSON"),
        ([KEY, ["content-length-range", "x", 4]], {}, "InvalidPolicyDocument", "Invalid JSON"),
    ],
)
def test_what_a_forms_policy_does_not_allow_is_refused(
    conditions: list[Any], fields: dict[str, str], code: str, says: str
) -> None:
    with pytest.raises(FormRefused, match=says) as refused:
        require(*conditions, **fields)
    assert refused.value.code == code


@pytest.mark.parametrize("text", ["5", "[]", "{}", '{"conditions": 5}', "[" * 100_000, "{"])
def test_a_text_that_is_no_policy_of_a_form_is_refused(text: str) -> None:
    given = {"key": "k", "policy": base64.b64encode(text.encode()).decode()}
    with pytest.raises(FormRefused, match="Invalid Policy"):
        require_allowed(given, "b", 1)
