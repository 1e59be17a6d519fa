import re

import pytest
from botocore.exceptions import ClientError

from scones_core.errors import DatasetError
from scones_etl.load import reported


@pytest.mark.parametrize(
    ("code", "message", "shown"),
    [
        ("NoSuchBucket", "unused", "the bucket photos does not exist"),
        (
            "MalformedPolicy",
            "the policy {Version} of {bucket} is {0}",
            "{Version} of {bucket} is {0}",
        ),
    ],
)
def test_an_error_of_aws_is_shown_with_its_own_braces(code: str, message: str, shown: str) -> None:
    error = ClientError({"Error": {"Code": code, "Message": message}}, "PutObject")
    with pytest.raises(DatasetError, match=re.escape(shown)), reported("photos", "it failed"):
        raise error
