"""Events of the embedded AWS's own services: the one way to put them on the default bus."""

from collections.abc import Callable, Mapping
from typing import Any

from local_aws.core.context import REGION

Publish = Callable[[str, str, Mapping[str, Any], list[str], str], None]

_publishers: list[Publish] = []


def publish_event(
    source: str,
    detail_type: str,
    detail: Mapping[str, Any],
    resources: list[str],
    region: str = REGION,
) -> None:
    """Publish a service's event; it goes to the rules that match, at once.

    `source` is the service's, such as `aws.sagemaker`; `resources` are ARNs. Nothing happens
    until the event buses are installed.
    """
    for publish in _publishers:
        publish(source, detail_type, detail, resources, region)


def install(publish: Publish) -> None:
    """Have events go there from now on."""
    _publishers[:] = [publish]
