"""One embedded AWS for the whole conformance suite; a test's names are its own (`unique`)."""

import sys
from collections.abc import Iterator

import pytest

from local_aws.control import LocalAws
from local_aws.sagemaker.image_programs import ImageCommands
from local_aws.testing import PROGRAMS
from local_aws.testing.answers import require_known_keys
from local_aws.testing.aws import Aws
from local_aws.testing.clock import Clock
from local_aws.testing.hosting import Hosting


@pytest.fixture(scope="session")
def toys() -> dict[str, ImageCommands]:
    """The image map: those named `toy-*` are the stand-ins of a customer's programs."""
    commands = ImageCommands(
        train=(sys.executable, str(PROGRAMS / "stand_in_train.py")),
        serve=(sys.executable, str(PROGRAMS / "stand_in_serve.py")),
        environment={},
        process=(sys.executable, str(PROGRAMS / "stand_in_process.py")),
    )
    return {"toy-*": commands}


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory, toys: dict[str, ImageCommands]) -> Iterator[Aws]:
    """A running server."""
    with LocalAws.start(tmp_path_factory.mktemp("conformance"), 0, toys, keep=False) as local:
        yield Aws.of(local)


@pytest.fixture(scope="session")
def clock(aws: Aws) -> Clock:
    """The server's clock, which all tests share: it is only ever ahead."""
    return Clock(aws.local.endpoint_url)


@pytest.fixture(scope="session")
def hosting(aws: Aws) -> Hosting:
    """SageMaker of that server, with a bucket; each of its answers is held against the model."""
    events = aws.client("sagemaker").meta.events
    events.register("before-parse.sagemaker", require_known_keys, "known keys")
    return Hosting.of(aws)
