"""The AWS clients of running executions."""

import sys
import threading
from typing import Any

from scones_local.context import Context
from scones_local.registry import replace


class ClientCache:
    """One client a region and service: making one takes longer than a whole task."""

    def __init__(self, endpoint_url: str) -> None:
        import boto3

        self._endpoint_url = endpoint_url
        self._session = boto3.Session()
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str], Any] = {}

    def get(self, region: str, service: str, state_credentials: Any = None) -> Any:
        """Return the client that a task of a state machine uses; it is safe to share."""
        del state_credentials  # every caller may do everything: policies are not enforced
        with self._lock:
            client = self._clients.get((region, service))
            if client is None:
                client = self._clients[region, service] = self._make(region, service)
            return client

    def _make(self, region: str, service: str) -> Any:
        from botocore.config import Config

        client: Any = self._session.client
        return client(
            service,
            region_name=region,
            endpoint_url=self._endpoint_url,
            config=Config(
                parameter_validation=False,
                retries={"total_max_attempts": 1},
                read_timeout=900,  # the longest that a function may run
                max_pool_connections=100,
                inject_host_prefix=False,
            ),
        )


def install(context: Context) -> None:
    """Have every task module of moto use the cache."""
    cache = ClientCache(context.endpoint_url)
    fault = "makes a new client for each task, at localhost, which may be IPv6"
    for name, module in sorted(sys.modules.items()):
        if name.startswith("moto.stepfunctions.parser.") and hasattr(module, "boto_client_for"):
            replace(module, "boto_client_for", cache.get, fault=fault)
