"""The operations of endpoints, and the runtime API: InvokeEndpoint, InvokeEndpointAsync."""

from dataclasses import dataclass
from typing import Any

from moto.core.responses import ActionResult
from moto.sagemaker.exceptions import AWSValidationException
from moto.sagemaker.models import FakeEndpoint, FakeEndpointConfig, SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

from local_aws.core.patching import add, patch, set_value
from local_aws.core.stores import on_restored
from local_aws.sagemaker.aws_services import AwsServices
from local_aws.sagemaker.endpoints.async_inference import AsyncInvoker, AsyncWork
from local_aws.sagemaker.endpoints.capacities import rescale
from local_aws.sagemaker.endpoints.deployment import (
    EndpointRecord,
    Endpoints,
    retained_properties,
    start_endpoints,
)
from local_aws.sagemaker.endpoints.invocations import (
    CUSTOM_ATTRIBUTES,
    INFERENCE_ID,
    TARGET_VARIANT,
    Answer,
    EndpointMetrics,
    Invocation,
    Invoker,
)
from local_aws.sagemaker.endpoints.invoke_http import with_invocations

_IN_PROGRESS = frozenset(("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"))


@dataclass(frozen=True, slots=True)
class Hosting:
    """What runs behind the operations of this module."""

    endpoints: Endpoints
    invoker: Invoker
    queue: AsyncInvoker


_hosting: list[Hosting] = []


def start(services: AwsServices) -> None:
    """Set what the operations use, and have endpoints serve again after a restart."""
    endpoints, metrics = Endpoints(services), EndpointMetrics(services)
    invoker = Invoker(
        endpoints.traffic,
        endpoints.captures,
        metrics.add,
        account_id=services.account_id,
        region=services.region,
    )
    # Before the queue, whose requests wait for the endpoints that are known to be started.
    on_restored(lambda: start_endpoints(endpoints))
    work = AsyncWork(services, endpoints.captures)
    queue = AsyncInvoker(services, endpoints.traffic, work)
    for close in (endpoints.close, metrics.close, invoker.close, queue.close):
        services.context.on_shutdown(close)
    _hosting[:] = [Hosting(endpoints, invoker, queue)]
    services.context.fronts.append(lambda below: with_invocations(below, invoker.invoke))


@patch("moto.sagemaker.models.FakeEndpoint.__init__", why="an endpoint is InService at once")
def init_fake_endpoint(original: Any, self: EndpointRecord, *args: Any, **kwargs: Any) -> None:
    """Make a record with every attribute that is set later."""
    original(self, *args, **kwargs)
    self.endpoint_status = "Creating"
    # Every attribute that is set later is there now: the record is read while it changes.
    self.data_capture_config = self.last_deployment_config = None
    self.pending_deployment_summary = self.shadow_production_variants = None
    self.async_inference_config = None


@patch(
    "moto.sagemaker.responses.SageMakerResponse.create_endpoint",
    why="nothing runs; DeploymentConfig is dropped",
)
def create_endpoint(original: Any, self: SageMakerResponse) -> ActionResult:
    """Answer CreateEndpoint."""
    backend, name = self.sagemaker_backend, self._get_param("EndpointName")
    if name in backend.endpoints:
        arn = backend.endpoints[name].arn
        raise AWSValidationException(f'Cannot create already existing endpoint "{arn}".')
    config = _config(self)
    result: ActionResult = original(self)
    endpoint: EndpointRecord = backend.endpoints[name]
    endpoint.last_deployment_config = self._get_param("DeploymentConfig")
    try:
        _hosting[0].endpoints.deploy(backend, endpoint, config)
    except Exception:
        del backend.endpoints[name]
        raise
    return result


@add("moto.sagemaker.responses.SageMakerResponse.update_endpoint", why="the operation is missing")
def update_endpoint(self: SageMakerResponse) -> ActionResult:
    """Answer UpdateEndpoint."""
    endpoint, config = _endpoint(self), _config(self)
    _require_in_service(endpoint)
    _require_another(config, endpoint)
    before = endpoint.last_deployment_config
    if not self._get_param("RetainDeploymentConfig"):
        endpoint.last_deployment_config = self._get_param("DeploymentConfig")
    excluded = self._get_param("ExcludeRetainedVariantProperties") or []
    retained = (
        retained_properties(endpoint, {e["VariantPropertyType"] for e in excluded})
        if self._get_param("RetainAllVariantProperties")
        else {}
    )
    try:
        _hosting[0].endpoints.deploy(self.sagemaker_backend, endpoint, config, retained)
    except Exception:
        endpoint.last_deployment_config = before
        raise
    return ActionResult({"EndpointArn": endpoint.arn})


@patch(
    "moto.sagemaker.models.SageMakerModelBackend.delete_endpoint",
    why="nothing that runs is stopped",
)
def delete_endpoint(original: Any, self: SageMakerModelBackend, endpoint_name: str) -> None:
    """Do what moto's SageMakerModelBackend.delete_endpoint should."""
    endpoint: EndpointRecord = self.endpoints.get(endpoint_name)
    if endpoint is not None and endpoint.endpoint_status in _IN_PROGRESS:
        raise AWSValidationException(f'Cannot update in-progress endpoint "{endpoint.arn}".')
    original(self, endpoint_name)
    if endpoint is not None:
        _hosting[0].endpoints.delete(endpoint)


@patch(
    "moto.sagemaker.models.SageMakerModelBackend.update_endpoint_weights_and_capacities",
    why="the weights change nothing, and a weight or count that is not given becomes null",
)
def update_endpoint_weights_and_capacities(
    original: Any,
    self: SageMakerModelBackend,
    endpoint_name: str,
    desired_weights_and_capacities: list[dict[str, Any]],
) -> str:
    """Do what moto's SageMakerModelBackend.update_endpoint_weights_and_capacities should."""
    del original
    endpoint: EndpointRecord = self.endpoints.get(endpoint_name)
    if endpoint is None:
        arn = FakeEndpoint.arn_formatter(endpoint_name, self.account_id, self.region_name)
        raise AWSValidationException(f'Could not find endpoint "{arn}".')
    _require_in_service(endpoint)
    fleet = _hosting[0].endpoints.traffic.serving(endpoint.arn)
    if fleet is None:
        raise AWSValidationException(f'Endpoint "{endpoint.arn}" is not running.')
    rescale(endpoint, fleet, desired_weights_and_capacities)
    return str(endpoint.arn)


def _require_in_service(endpoint: EndpointRecord) -> None:
    status = endpoint.endpoint_status
    if status in _IN_PROGRESS:
        raise AWSValidationException(f'Cannot update in-progress endpoint "{endpoint.arn}".')
    if status != "InService":
        raise AWSValidationException(f'Cannot update endpoint "{endpoint.arn}" in status {status}.')


def _require_another(config: FakeEndpointConfig, endpoint: EndpointRecord) -> None:
    """Raise for the configuration that the endpoint has: an update needs a new one.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdateEndpoint.html; the wording
    is not known.
    """
    if config.endpoint_config_name == endpoint.endpoint_config_name:
        raise AWSValidationException(
            f'Endpoint "{endpoint.arn}" has the endpoint configuration '
            f'"{config.endpoint_config_arn}" already. To update an endpoint, create a new one.'
        )


def _endpoint(response: SageMakerResponse) -> EndpointRecord:
    name = response._get_param("EndpointName")
    endpoint = response.sagemaker_backend.endpoints.get(name)
    if endpoint is None:
        arn = FakeEndpoint.arn_formatter(name, response.current_account, response.region)
        raise AWSValidationException(f'Could not find endpoint "{arn}".')
    return endpoint


def _config(response: SageMakerResponse) -> FakeEndpointConfig:
    name = response._get_param("EndpointConfigName")
    config = response.sagemaker_backend.endpoint_configs.get(name)
    if config is None:
        arn = FakeEndpointConfig.arn_formatter(name, response.current_account, response.region)
        raise AWSValidationException(f'Could not find endpoint configuration "{arn}".')
    return config


set_value(
    "moto.sagemakerruntime.responses.SageMakerRuntimeResponse.use_raw_body",
    True,
    why="a body that is no UTF-8, such as an image, is a 500",
)


@patch(
    "moto.sagemakerruntime.responses.SageMakerRuntimeResponse.invoke_endpoint",
    why="the answer is a fixed text",
)
def invoke_endpoint(
    original: Any, self: SageMakerRuntimeResponse
) -> tuple[int, dict[str, Any], bytes]:
    """Answer InvokeEndpoint."""
    del original
    headers = self.headers
    request = Invocation(
        endpoint=_endpoint_name(self),
        body=_body(self),
        content_type=headers.get("Content-Type") or "",
        accept=headers.get("Accept") or "",
        custom_attributes=headers.get(CUSTOM_ATTRIBUTES) or "",
        inference_id=headers.get(INFERENCE_ID) or "",
        target_variant=headers.get(TARGET_VARIANT) or "",
    )
    return _sent(_hosting[0].invoker.invoke(request))


@patch(
    "moto.sagemakerruntime.responses.SageMakerRuntimeResponse.invoke_endpoint_async",
    why="nothing is asked or written",
)
def invoke_endpoint_async(
    original: Any, self: SageMakerRuntimeResponse
) -> tuple[int, dict[str, Any], bytes]:
    """Answer InvokeEndpointAsync."""
    del original
    return _sent(_hosting[0].queue.accept(_endpoint_name(self), self.headers, _body(self)))


def _endpoint_name(response: SageMakerRuntimeResponse) -> str:
    return str(response.path.removeprefix("/endpoints/").split("/")[0])


def _body(response: SageMakerRuntimeResponse) -> bytes:
    body: bytes | str = response.body
    return body if isinstance(body, bytes) else body.encode()


def _sent(answer: Answer) -> tuple[int, dict[str, Any], bytes]:
    # moto takes the status from this header, and sends it on as one.
    status = {} if answer.status == 200 else {"status": answer.status}
    return answer.status, {**answer.headers, **status}, answer.body
