import re

import pytest
from botocore.exceptions import ClientError

from scones_core.errors import DatasetError
from scones_core.labels import LabelSet
from scones_core.settings import DatasetSettings
from scones_etl import load
from scones_etl.extract.synthetic import Synthetic
from scones_etl.load import reported, upload
from scones_etl.pipeline import stage


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


def test_a_manifest_that_nobody_would_read_is_refused_before_an_upload(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = Synthetic(train_per_class=10, test_per_class=2)
    staged = stage(source, LabelSet.of(["bicycle", "motorcycle"]), DatasetSettings())
    monkeypatch.setattr(load, "MAX_MANIFEST_BYTES", 1000)
    # Without a client: nothing is asked of S3.
    with pytest.raises(DatasetError, match=r"manifest of 24 images .* nothing was uploaded"):
        upload(staged, None, "photos", workers=1)  # type: ignore[arg-type]
