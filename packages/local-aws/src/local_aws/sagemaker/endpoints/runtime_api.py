"""The runtime API: InvokeEndpoint and InvokeEndpointAsync made to reach what is deployed."""

from typing import Any

from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

from local_aws.core.patching import replace, wrap
from local_aws.sagemaker.aws_services import AwsServices, EndpointMetrics
from local_aws.sagemaker.endpoints.answers import CUSTOM_ATTRIBUTES, Answer
from local_aws.sagemaker.endpoints.async_invocations import AsyncInvoker
from local_aws.sagemaker.endpoints.async_work import AsyncWork
from local_aws.sagemaker.endpoints.deployments import Endpoints
from local_aws.sagemaker.endpoints.invocations import (
    INFERENCE_ID,
    TARGET_VARIANT,
    Invocation,
    Invoker,
)


def install(services: AwsServices, endpoints: Endpoints, metrics: EndpointMetrics) -> None:
    """Mend moto's runtime API."""
    invoker = Invoker(
        endpoints.traffic,
        endpoints.captures,
        metrics.add,
        account_id=services.account_id,
        region=services.region,
    )
    work = AsyncWork(services, endpoints.captures)
    queue = AsyncInvoker(services, endpoints.traffic, work)
    services.context.on_shutdown(invoker.close)
    services.context.on_shutdown(queue.close)
    _mend_invoke(invoker)
    _mend_invoke_async(queue)


def _mend_invoke(invoker: Invoker) -> None:
    replace(
        SageMakerRuntimeResponse,
        "use_raw_body",
        True,
        fault="a body that is no UTF-8, such as an image, is a 500",
    )

    @wrap(SageMakerRuntimeResponse, "invoke_endpoint", fault="the answer is a fixed text")
    def invoke(original: Any, self: SageMakerRuntimeResponse) -> tuple[int, dict[str, Any], bytes]:
        del original
        headers = self.headers
        request = Invocation(
            endpoint=_endpoint(self),
            body=_body(self),
            content_type=headers.get("Content-Type") or "",
            accept=headers.get("Accept") or "",
            custom_attributes=headers.get(CUSTOM_ATTRIBUTES) or "",
            inference_id=headers.get(INFERENCE_ID) or "",
            target_variant=headers.get(TARGET_VARIANT) or "",
        )
        return _sent(invoker.invoke(request))


def _mend_invoke_async(queue: AsyncInvoker) -> None:
    @wrap(SageMakerRuntimeResponse, "invoke_endpoint_async", fault="nothing is asked or written")
    def invoke(original: Any, self: SageMakerRuntimeResponse) -> tuple[int, dict[str, Any], bytes]:
        del original
        return _sent(queue.accept(_endpoint(self), self.headers, _body(self)))


def _endpoint(response: SageMakerRuntimeResponse) -> str:
    return str(response.path.removeprefix("/endpoints/").split("/")[0])


def _body(response: SageMakerRuntimeResponse) -> bytes:
    body: bytes | str = response.body
    return body if isinstance(body, bytes) else body.encode()


def _sent(answer: Answer) -> tuple[int, dict[str, Any], bytes]:
    # moto takes the status from this header, and sends it on as one.
    status = {} if answer.status == 200 else {"status": answer.status}
    return answer.status, {**answer.headers, **status}, answer.body
