import time

import pytest
from moto.s3.exceptions import MalformedXML

from local_aws.s3.requests import require_deletable


def test_a_document_of_elements_without_an_end_is_read_in_one_pass() -> None:
    began = time.monotonic()
    with pytest.raises(MalformedXML):
        require_deletable("<Delete>" + "<Key>" * 200_000)
    assert time.monotonic() - began < 10
