"""InvokeEndpointAsync: a queue for each endpoint, and how long it is."""

import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from local_aws.core import clock
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.aws_services import AwsServices
from local_aws.sagemaker.endpoints import answers
from local_aws.sagemaker.endpoints.answers import Answer
from local_aws.sagemaker.endpoints.async_requests import AsyncRequest, parse_request
from local_aws.sagemaker.endpoints.async_settings import AsyncSettings
from local_aws.sagemaker.endpoints.async_work import AsyncWork
from local_aws.sagemaker.endpoints.traffic import Traffic
from local_aws.sagemaker.endpoints.variants import Variant

LOG = logging.getLogger(__name__)
WORKERS = 8
_CAPACITY_SECONDS = 0.5


class AsyncInvoker:
    """The queues of one account and region."""

    def __init__(self, services: AwsServices, traffic: Traffic, work: AsyncWork) -> None:
        self._services, self._traffic, self._do = services, traffic, work
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._queues: dict[str, ThreadPoolExecutor] = {}
        self._backlogs: dict[str, int] = {}

    def accept(self, endpoint: str, headers: Any, body: bytes) -> Answer:
        """Return the answer 202 of a request that is now queued, or AWS's error."""
        arn = f"arn:aws:sagemaker:{self._services.region}:{self._services.account_id}:endpoint/"
        with self._traffic.lease(arn + endpoint) as fleet:
            if fleet is None:
                return answers.validation_error(
                    f"Endpoint {endpoint} of account {self._services.account_id} not found."
                )
            if fleet.settings.asynchronous is None:
                return answers.validation_error(
                    f"Endpoint {endpoint} does not support asynchronous inference: use "
                    "InvokeEndpoint to invoke it."
                )
            settings = fleet.settings.asynchronous
        try:
            request = parse_request(endpoint, headers, body, clock.now())
        except LocalAwsError as error:
            return answers.validation_error(str(error))
        self._count(endpoint, 1)
        self._queue(endpoint).submit(self._work, arn + endpoint, request)
        return _accepted(request, settings)

    def close(self) -> None:
        """Drop what is queued: the queue lives as long as the server."""
        self._closing.set()
        for queue in self._queues.values():
            queue.shutdown(wait=False, cancel_futures=True)

    def _queue(self, endpoint: str) -> ThreadPoolExecutor:
        with self._lock:
            if endpoint not in self._queues:
                self._queues[endpoint] = ThreadPoolExecutor(WORKERS, f"async-{endpoint}")
            return self._queues[endpoint]

    def _count(self, endpoint: str, change: int) -> None:
        with self._lock:
            self._backlogs[endpoint] = self._backlogs.get(endpoint, 0) + change
            backlog = self._backlogs[endpoint]
        dimensions = [{"Name": "EndpointName", "Value": endpoint}]
        datum = {"MetricName": "ApproximateBacklogSize", "Value": backlog, "Unit": "Count"}
        self._services.put_metric("AWS/SageMaker", [{**datum, "Dimensions": dimensions}])

    def _work(self, arn: str, request: AsyncRequest) -> None:
        try:
            while not self._closing.is_set():
                with self._traffic.lease(arn) as fleet:
                    if fleet is None:
                        return
                    settings = fleet.settings.asynchronous
                    variant = fleet.choose()
                    if settings is not None and _has_room(variant, settings):
                        self._do(request, fleet, variant, settings)
                        return
                self._without_capacity(request)
        except Exception:  # the queue goes on, whatever became of one request
            LOG.exception("The asynchronous request %s was lost", request.id)
        finally:
            self._count(request.endpoint, -1)

    def _without_capacity(self, request: AsyncRequest) -> None:
        """Tell the metric that scales an endpoint up from no instance, and wait a moment."""
        dimensions = [{"Name": "EndpointName", "Value": request.endpoint}]
        datum = {"MetricName": "HasBacklogWithoutCapacity", "Value": 1.0, "Unit": "Count"}
        self._services.put_metric("AWS/SageMaker", [{**datum, "Dimensions": dimensions}])
        self._closing.wait(_CAPACITY_SECONDS)


def _has_room(variant: Variant, settings: AsyncSettings) -> bool:
    return variant.in_flight < settings.concurrency * variant.processes


def _accepted(request: AsyncRequest, settings: AsyncSettings) -> Answer:
    headers = {
        "Content-Type": "application/json",
        "X-Amzn-SageMaker-OutputLocation": str(request.output(settings)),
    }
    failure = request.failure(settings)
    if failure is not None:
        headers["X-Amzn-SageMaker-FailureLocation"] = str(failure)
    body = json.dumps({"InferenceId": request.inference_id})
    return Answer(202, headers, body.encode())
