"""Fleets made ready to start: models downloaded and unpacked, programs known, nothing started."""

import shutil
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from local_aws.core.child_processes import Children
from local_aws.core.s3_uri import S3Uri
from local_aws.errors import LocalAwsError
from local_aws.sagemaker.archives import MAX_BYTES, unpack
from local_aws.sagemaker.container_processes import LineSink
from local_aws.sagemaker.endpoints.instances import ServeSpec, VariantFailed
from local_aws.sagemaker.endpoints.variants import Variant
from local_aws.sagemaker.image_programs import argv_for

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


from local_aws.sagemaker.endpoints.fleet_plans import FleetPlan, VariantPlan
from local_aws.sagemaker.endpoints.weighted_variants import Fleet


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
