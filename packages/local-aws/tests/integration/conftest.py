from collections.abc import Iterator

import pytest

from local_aws.control import LocalAws
from local_aws.testing.aws import Aws


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    with LocalAws.start(tmp_path_factory.mktemp("aws"), 0, {}, keep=False) as local:
        yield Aws.of(local)
