"""How those records are saved that pickle cannot save, or should not save whole: by class."""

import threading
import types
from typing import Any

from local_aws.state import (
    append_only,
    constructors,
    lambda_packages,
    process_objects,
    s3_shards,
    saved_executions,
)
from local_aws.state.blobs import Blobs, Reduced, Reducer


def reducer_of(kind: type) -> Reducer | None:
    """Return what reduces values of a class, None where pickle knows how."""
    for base in kind.__mro__:
        if (found := _REDUCERS.get(_name(base))) is not None:
            return found
    return process_objects.private_key if hasattr(kind, "private_bytes") else None


def _backend(value: Any, blobs: Blobs) -> Reduced:
    """Reduce one backend's mention of another to its place."""
    del blobs
    kind = type(value)
    return constructors.backend, (
        kind.__module__,
        kind.__name__,
        value.account_id,
        value.region_name,
    )


def _aws_policy(policy: Any, blobs: Blobs) -> Reduced:
    del blobs
    count = policy.attachment_count
    return constructors.aws_policy, (policy.account_id, policy.partition, policy.arn, count)


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


# By name, so that nothing of moto is imported before it is needed.
_REDUCERS: dict[str, Reducer] = {
    "moto.core.base_backend.BaseBackend": _backend,
    "moto.s3.models.FakeKey": s3_shards.s3_object,
    "moto.s3.utils._VersionedKeyStore": s3_shards.s3_objects,
    "moto.awslambda.models.LambdaFunction": lambda_packages.package,
    "moto.awslambda.models.LayerVersion": lambda_packages.package,
    "moto.logs.models.LogGroup": append_only.log_group,
    "moto.logs.models.LogStream": append_only.log_stream,
    "moto.iam.models.AWSManagedPolicy": _aws_policy,
    "moto.stepfunctions.models.StateMachine": saved_executions.machine,
    "moto.stepfunctions.parser.backend.execution.Execution": saved_executions.execution,
    "moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor"
    ".map_run_record.MapRunRecord": saved_executions.map_run,
    "threading.Thread": process_objects.nothing,
    "threading.Event": process_objects.event,
    "threading.Condition": process_objects.condition,
    "re.Pattern": process_objects.pattern,
    "weakref.WeakValueDictionary": process_objects.weak_values,
    _name(types.FunctionType): process_objects.function,
    _name(type(threading.Lock())): process_objects.lock,
    _name(type(threading.RLock())): process_objects.rlock,
}
