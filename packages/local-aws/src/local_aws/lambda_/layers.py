"""What stands for `/opt`: a function's layers, one over the other.

https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html
"""

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

from local_aws.core.context import ACCOUNT_ID
from local_aws.lambda_.deployment_package import unpack
from local_aws.lambda_.function_spec import FunctionSpec


def layer_contents(function: Any) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
    """Return the packages of a function's layers and what names each; the first is lowest."""
    from moto.awslambda.utils import get_backend

    backend: Any = get_backend(ACCOUNT_ID, function.region)
    found = [backend.layers_versions_by_arn(layer["Arn"]) for layer in function.layers]
    versions = [version for version in found if version is not None]
    contents = tuple(version.code_bytes for version in versions)
    return contents, tuple(version.code_sha_256 for version in versions)


def laid_out(spec: FunctionSpec, home: Path) -> Path | None:
    """Return a folder with all layers of a function; None when it has none.

    Raises LocalAwsError for a layer that cannot be unpacked.
    """
    if not spec.layers:
        return None
    name = hashlib.sha256("".join(spec.layer_sha256s).encode()).hexdigest()
    target = home / "layers" / name
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".layers-", dir=target.parent))
    try:
        for number, content in enumerate(spec.layers):
            unpack(content, partial / str(number))
            shutil.copytree(partial / str(number), partial / "opt", dirs_exist_ok=True)
        (partial / "opt").rename(target)
    except FileExistsError:
        pass  # another thread was quicker with the same layers
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target
