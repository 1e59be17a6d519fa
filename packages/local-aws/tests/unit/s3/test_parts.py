from collections.abc import Iterator
from threading import Thread

import pytest
from moto.s3.exceptions import NoSuchUpload
from moto.s3.models import s3_backends
from requests.structures import CaseInsensitiveDict

import local_aws.s3.parts  # noqa: F401 (it declares the patch)


@pytest.mark.usefixtures("patched_moto")
def test_of_requests_at_once_to_complete_an_upload_one_does() -> None:
    s3 = s3_backends["123456789012"]["aws"]
    s3.reset()
    s3.create_bucket("parts", "us-east-1")
    nothing: CaseInsensitiveDict[str] = CaseInsensitiveDict()
    upload = s3.create_multipart_upload("parts", "k", nothing, "STANDARD", {}, None, "", "").id
    etag = s3.upload_part("parts", upload, 1, b"part").etag
    ended: list[str] = []

    def complete(parts: Iterator[tuple[int, str]]) -> None:
        try:
            s3.complete_multipart_upload("parts", upload, parts)
            ended.append("made")
        except NoSuchUpload:
            ended.append("none")

    other = Thread(target=complete, args=(iter([(1, etag)]),))

    def interrupted() -> Iterator[tuple[int, str]]:
        """Yield the parts; another request comes once the upload was found."""
        other.start()
        other.join(0.3)  # it has to wait for this one
        yield 1, etag

    complete(interrupted())
    other.join(20)
    assert ended == ["made", "none"]
    s3.reset()
