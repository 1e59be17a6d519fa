"""ECR's patches: an image is known by the digest of its manifest.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-manifest-formats.html
https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests
"""

import hashlib
from typing import Any

from local_aws.core.context import Context
from local_aws.core.patching import patch


def install(context: Context) -> None:
    """Do nothing more: the patches need nothing of the running server."""
    del context


@patch(
    "moto.ecr.models.Image._create_digest",
    why="makes one digest of the layers, so images of other configurations have the same; of a "
    "manifest list it makes one of a hundred",
)
def create_digest(_: Any, image: Any) -> None:
    """Set the digest of an image: that of the bytes of its manifest."""
    digest = hashlib.sha256(str(image.image_manifest).encode()).hexdigest()
    image._image_digest = f"sha256:{digest}"
