"""Images in ECR are known by the digest of their manifest."""

import hashlib
import json
from typing import Any

from local_aws.testing.aws import Aws, unique


def test_an_images_digest_is_that_of_its_manifest(aws: Aws) -> None:
    """https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-manifest-formats.html"""
    ecr, name = aws.client("ecr"), unique("images")
    ecr.create_repository(repositoryName=name)
    image_kind = "application/vnd.oci.image.manifest.v1+json"
    list_kind = "application/vnd.oci.image.index.v1+json"
    manifests = []
    for letter in "ab":
        config = {"digest": f"sha256:{letter * 64}", "size": 1, "mediaType": "x"}
        about: dict[str, Any] = {"schemaVersion": 2, "config": config}
        manifests.append(json.dumps({**about, "mediaType": image_kind, "layers": []}))
        manifests.append(json.dumps({**about, "mediaType": list_kind, "manifests": []}))
    for number, manifest in enumerate(manifests):
        image = ecr.put_image(repositoryName=name, imageManifest=manifest, imageTag=str(number))
        digest = hashlib.sha256(manifest.encode()).hexdigest()
        assert image["image"]["imageId"]["imageDigest"] == f"sha256:{digest}"
    listed = ecr.list_images(repositoryName=name)["imageIds"]
    assert len({one["imageDigest"] for one in listed}) == len(manifests)
