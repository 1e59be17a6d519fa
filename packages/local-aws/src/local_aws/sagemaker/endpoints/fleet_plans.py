"""What an endpoint configuration says is to run, and its variants built from that, not started."""

import shutil
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from moto.sagemaker.models import FakeEndpointConfig, SageMakerModelBackend

from local_aws.core.child_processes import Children
from local_aws.core.s3_uri import S3Uri
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.archives import MAX_BYTES, unpack
from local_aws.sagemaker.aws_services import AwsServices
from local_aws.sagemaker.containers import LineSink
from local_aws.sagemaker.endpoints.data_capture import CaptureSettings
from local_aws.sagemaker.endpoints.instances import ServeSpec, VariantFailed
from local_aws.sagemaker.endpoints.variants import Variant
from local_aws.sagemaker.image_programs import argv_for
from local_aws.sagemaker.models import container_of
from local_aws.sagemaker.names import require_resource_name

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


from local_aws.sagemaker.endpoints.async_settings import AsyncSettings
from local_aws.sagemaker.endpoints.weighted_variants import Fleet, FleetSettings

STARTUP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class VariantPlan:
    """One variant with its model. `base_environment` has the role's credentials."""

    name: str
    image: str
    model_data: str
    container_environment: Mapping[str, str]
    base_environment: Mapping[str, str]
    weight: float = 1.0
    count: int = 1
    max_concurrency: int = 0
    startup_seconds: float = STARTUP_SECONDS


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """What an endpoint is to run. The role is that of its first model."""

    endpoint: str
    role_arn: str
    settings: FleetSettings
    variants: Sequence[VariantPlan]
    shadow: VariantPlan | None = None


class FleetBuilder:
    """Prepares fleets: artifacts downloaded and unpacked, programs known, nothing started."""

    def __init__(
        self,
        *,
        folder: Path,
        images_path: Path,
        children: Children,
        s3: "Callable[[Mapping[str, str]], S3Client]",
        log_stream: Callable[[str, str, Mapping[str, str]], LineSink],
        require_image: Callable[[Mapping[str, str], str], None],
    ) -> None:
        self._folder, self._images_path, self._children = folder, images_path, children
        self._s3, self._log_stream, self._require_image = s3, log_stream, require_image

    def build(self, plan: FleetPlan) -> Fleet:
        """Return the fleet, ready to start; raises VariantFailed with nothing left behind."""
        folder = self._folder / plan.endpoint / uuid.uuid4().hex[:12]
        try:
            variants = [self._variant(plan, variant, folder) for variant in plan.variants]
            shadow = self._variant(plan, plan.shadow, folder) if plan.shadow else None
        except LocalAwsError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise VariantFailed(str(error)) from error
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        weights = {variant.name: variant.weight for variant in plan.variants}
        return Fleet(plan.settings, variants, weights, folder=folder, shadow=shadow)

    def serve_spec(self, variant: VariantPlan, folder: Path, owner: str) -> ServeSpec:
        """Return a model's program, its artifact unpacked below the folder.

        Raises ImageDenied, UnknownImage and VariantFailed.
        """
        self._require_image(variant.base_environment, variant.image)
        argv, image_environment = argv_for(variant.image, "serve", self._images_path)
        base = folder / variant.name / "ml"
        model, lock = base / "model", threading.Lock()

        def prepare() -> None:
            with lock:  # instances of a variant share its folder
                if not model.is_dir():
                    self._prepare(variant, model)

        prepare()
        return ServeSpec(
            name=variant.name,
            argv=argv,
            folder=folder / variant.name,
            prepare=prepare,
            environment={
                **image_environment,
                **variant.base_environment,
                **variant.container_environment,
                "SAGEMAKER_BASE_DIR": str(base),
                "SM_MODEL_DIR": str(model),
                "HOME": str(folder / variant.name),
            },
            startup_seconds=variant.startup_seconds,
            owner=owner,
        )

    def _prepare(self, variant: VariantPlan, model: Path) -> None:
        """Make a variant's folder with its model in it, or none."""
        # Without `parents`: a server's own folder that a user deletes is not made again.
        self._folder.mkdir(exist_ok=True)
        model.mkdir(parents=True)
        try:
            if variant.model_data:
                self._fetch_model(variant, model)
        except BaseException:
            shutil.rmtree(model.parent, ignore_errors=True)
            raise

    def _variant(self, plan: FleetPlan, variant: VariantPlan, folder: Path) -> Variant:
        return Variant(
            self.serve_spec(variant, folder, owner=f"endpoint/{plan.endpoint}"),
            self._children,
            lambda: self._log(plan.endpoint, variant),
            count=variant.count,
            max_concurrency=variant.max_concurrency,
        )

    def _log(self, endpoint: str, variant: VariantPlan) -> LineSink:
        """Return the log of one more instance."""
        group = f"/aws/sagemaker/Endpoints/{endpoint}"
        stream = f"{variant.name}/i-{uuid.uuid4().hex[:17]}"
        return self._log_stream(group, stream, variant.base_environment)

    def _fetch_model(self, variant: VariantPlan, model: Path) -> None:
        """Download the artifact next to the model's folder, unpack it, and remove it."""
        source, archive = S3Uri.parse(variant.model_data), model.parent / "model.tar.gz"
        s3 = self._s3(variant.base_environment)
        try:
            size = s3.head_object(Bucket=source.bucket, Key=source.key)["ContentLength"]
            if size > MAX_BYTES:
                raise VariantFailed(f"The model data at {source} has {size} bytes; too many.")
            s3.download_file(source.bucket, source.key, str(archive))
            unpack(archive, model)
        except (ClientError, BotoCoreError) as error:
            raise VariantFailed(_unreadable(source, error)) from error
        finally:
            archive.unlink(missing_ok=True)


def _unreadable(source: S3Uri, error: Exception) -> str:
    if isinstance(error, ClientError) and error.response["Error"]["Code"] == "403":
        return (
            f"Could not access model data at {source}. Please ensure that the role has "
            '"s3:GetObject" permissions for it.'
        )
    return f"Could not find model data at {source}."


# https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints-invoke.html
SERVERLESS_STARTUP_SECONDS = 180.0


def fleet_plan(
    services: AwsServices,
    backend: SageMakerModelBackend,
    endpoint: str,
    config: FakeEndpointConfig,
    retained: Mapping[str, Mapping[str, Any]],
) -> FleetPlan:
    """Return what an endpoint of that name is to run.

    `retained` has the weights and counts, by variant, that an update keeps. Raises
    LocalAwsError, UriError and KeyError where the records do not make an endpoint.
    """
    require_resource_name("endpointName", endpoint)
    configured = config.production_variants
    shadows = shadow_variants(config)
    role_arn = str(backend.describe_model(configured[0]["ModelName"]).execution_role_arn)
    return FleetPlan(
        endpoint=endpoint,
        role_arn=role_arn,
        settings=FleetSettings(
            config_name=config.endpoint_config_name,
            capture=CaptureSettings.parse(config.data_capture_config, role_arn),
            shadow_share=_shadow_share(configured[0], shadows[0]) if shadows else 0.0,
            asynchronous=AsyncSettings.parse(config.async_inference_config, role_arn),
            serverless=any(variant.get("ServerlessConfig") for variant in configured),
        ),
        variants=[
            _variant(services, backend, {**variant, **retained.get(variant["VariantName"], {})})
            for variant in configured
        ],
        shadow=_variant(services, backend, shadows[0]) if shadows else None,
    )


def shadow_variants(config: FakeEndpointConfig) -> list[dict[str, Any]]:
    """Return a configuration's shadow variants, which moto's record does not know by itself."""
    found: list[dict[str, Any]] = getattr(config, "shadow_production_variants", None) or []
    return found


def weight_of(variant: Mapping[str, Any]) -> float:
    """Return a configured variant's weight; 1 where it has none."""
    weight = variant.get("InitialVariantWeight")
    return 1.0 if weight is None else float(weight)


def _shadow_share(production: Mapping[str, Any], shadow: Mapping[str, Any]) -> float:
    """Return which part of the requests the shadow gets: its weight relative to the other's.

    https://docs.aws.amazon.com/sagemaker/latest/dg/model-shadow-deployment.html
    """
    weight = weight_of(production)
    return min(1.0, weight_of(shadow) / weight) if weight else 0.0


def _variant(
    services: AwsServices, backend: SageMakerModelBackend, variant: Mapping[str, Any]
) -> VariantPlan:
    require_resource_name("variantName", variant["VariantName"])
    model = backend.describe_model(variant["ModelName"])
    image, data, environment = container_of(backend, model)
    serverless = variant.get("ServerlessConfig")
    startup = variant.get("ContainerStartupHealthCheckTimeoutInSeconds")
    return VariantPlan(
        name=variant["VariantName"],
        image=image,
        model_data=data,
        container_environment=environment,
        base_environment=services.role_environment(model.execution_role_arn, model.arn),
        weight=weight_of(variant),
        count=1 if serverless else int(variant.get("InitialInstanceCount") or 1),
        max_concurrency=int(serverless["MaxConcurrency"]) if serverless else 0,
        startup_seconds=SERVERLESS_STARTUP_SECONDS
        if serverless
        else float(startup or STARTUP_SECONDS),
    )
