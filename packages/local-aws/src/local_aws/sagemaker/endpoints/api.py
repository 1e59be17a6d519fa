"""Endpoints: moto's records made to run the image's `serve` program."""

from typing import Any

from moto.core.responses import ActionResult
from moto.sagemaker.exceptions import AWSValidationException
from moto.sagemaker.models import FakeEndpoint, FakeEndpointConfig, SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse

from local_aws.core.patching import implement, wrap
from local_aws.sagemaker.aws_services import AwsServices, EndpointMetrics
from local_aws.sagemaker.endpoints import runtime_api
from local_aws.sagemaker.endpoints.capacities import rescale
from local_aws.sagemaker.endpoints.deployments import Endpoints
from local_aws.sagemaker.endpoints.endpoint_records import EndpointRecord, retained_properties
from local_aws.sagemaker.restart import start_endpoints
from local_aws.state.stores import on_restored

_IN_PROGRESS = frozenset(("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"))


def install(services: AwsServices) -> None:
    """Mend moto's endpoints, and what they are asked."""
    endpoints, metrics = Endpoints(services), EndpointMetrics(services)
    services.context.on_shutdown(endpoints.close)
    services.context.on_shutdown(metrics.close)
    _mend_record()
    _mend_create(endpoints)
    _add_update(endpoints)
    _mend_delete(endpoints)
    _mend_weights(endpoints)
    on_restored(lambda: start_endpoints(endpoints))
    runtime_api.install(services, endpoints, metrics)


def _mend_record() -> None:
    @wrap(FakeEndpoint, "__init__", fault="an endpoint is InService at once")
    def init(original: Any, self: EndpointRecord, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.endpoint_status = "Creating"
        # Every attribute that is set later is there now: the record is read while it changes.
        self.data_capture_config = self.last_deployment_config = None
        self.pending_deployment_summary = self.shadow_production_variants = None
        self.async_inference_config = None


def _mend_create(endpoints: Endpoints) -> None:
    @wrap(SageMakerResponse, "create_endpoint", fault="nothing runs; DeploymentConfig is dropped")
    def create(original: Any, self: SageMakerResponse) -> ActionResult:
        backend, name = self.sagemaker_backend, self._get_param("EndpointName")
        if name in backend.endpoints:
            arn = backend.endpoints[name].arn
            raise AWSValidationException(f'Cannot create already existing endpoint "{arn}".')
        config = _config(self)
        result: ActionResult = original(self)
        endpoint: EndpointRecord = backend.endpoints[name]
        endpoint.last_deployment_config = self._get_param("DeploymentConfig")
        try:
            endpoints.deploy(backend, endpoint, config)
        except Exception:
            del backend.endpoints[name]
            raise
        return result


def _add_update(endpoints: Endpoints) -> None:
    @implement(SageMakerResponse, "update_endpoint", fault="the operation is missing")
    def update(self: SageMakerResponse) -> ActionResult:
        endpoint, config = _endpoint(self), _config(self)
        _require_in_service(endpoint)
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
            endpoints.deploy(self.sagemaker_backend, endpoint, config, retained)
        except Exception:
            endpoint.last_deployment_config = before
            raise
        return ActionResult({"EndpointArn": endpoint.arn})


def _mend_delete(endpoints: Endpoints) -> None:
    @wrap(SageMakerModelBackend, "delete_endpoint", fault="nothing that runs is stopped")
    def delete(original: Any, self: SageMakerModelBackend, endpoint_name: str) -> None:
        endpoint: EndpointRecord = self.endpoints.get(endpoint_name)
        if endpoint is not None and endpoint.endpoint_status in _IN_PROGRESS:
            raise AWSValidationException(f'Cannot update in-progress endpoint "{endpoint.arn}".')
        original(self, endpoint_name)
        if endpoint is not None:
            endpoints.delete(endpoint)


def _mend_weights(endpoints: Endpoints) -> None:
    @wrap(
        SageMakerModelBackend,
        "update_endpoint_weights_and_capacities",
        fault="the weights change nothing, and a weight or count that is not given becomes null",
    )
    def reweigh(
        original: Any,
        self: SageMakerModelBackend,
        endpoint_name: str,
        desired_weights_and_capacities: list[dict[str, Any]],
    ) -> str:
        del original
        endpoint: EndpointRecord = self.endpoints.get(endpoint_name)
        if endpoint is None:
            arn = FakeEndpoint.arn_formatter(endpoint_name, self.account_id, self.region_name)
            raise AWSValidationException(f'Could not find endpoint "{arn}".')
        _require_in_service(endpoint)
        fleet = endpoints.traffic.serving(endpoint.arn)
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
