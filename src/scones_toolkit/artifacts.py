"""A model artifact of an environment, unpacked for a while."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from scones_core.errors import MalformedArtifact
from scones_core.uris import S3Uri
from scones_toolkit.project import Project
from scones_train.artifact import unpack_artifact


@contextmanager
def unpacked(project: Project, model_data_url: str) -> Iterator[Path]:
    """Yield the model folder of an artifact in S3; it is gone afterwards.

    Raises MalformedArtifact for one that is missing or no model.
    """
    location = S3Uri.parse(model_data_url)
    with tempfile.TemporaryDirectory() as name:
        archive, folder = Path(name) / "model.tar.gz", Path(name) / "model"
        try:
            project.client("s3").download_file(location.bucket, location.key, str(archive))
        except (ClientError, BotoCoreError) as error:
            raise MalformedArtifact(
                f"There is no model artifact at {location} ({error}); run `inv train` first."
            ) from error
        unpack_artifact(archive, folder)
        yield folder
