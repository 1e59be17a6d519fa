"""What a role needs to pull an image from ECR.

https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html lists these actions for
execution roles.
"""

import re

from local_aws.errors import LocalAwsError
from local_aws.iam.policy import Access

PULLS = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
_PRIVATE = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com/([^:@]+)")


class ImageDenied(LocalAwsError):
    """A role may not pull an image."""


def pull_accesses(image: str) -> list[Access]:
    """Return what it takes to pull an image; nothing for one outside of a private registry."""
    found = _PRIVATE.match(image)
    if found is None:
        return []
    account, region, repository = found.groups()
    arn = f"arn:aws:ecr:{region}:{account}:repository/{repository}"
    return [Access("ecr:GetAuthorizationToken", "*"), *(Access(action, arn) for action in PULLS)]
