"""How those records are saved that pickle cannot save, or should not save whole: by class."""

import threading
import types
from typing import Any

from scones_local.persistence import executions, growing, objects, packages, plain, rebuild
from scones_local.persistence.blobs import Blobs, Reduced, Reducer


def reducer_of(kind: type) -> Reducer | None:
    """Return what reduces values of a class, None where pickle knows how."""
    for base in kind.__mro__:
        if (found := _REDUCERS.get(_name(base))) is not None:
            return found
    return plain.private_key if hasattr(kind, "private_bytes") else None


def _backend(value: Any, blobs: Blobs) -> Reduced:
    """Reduce one backend's mention of another to its place."""
    del blobs
    kind = type(value)
    return rebuild.backend, (kind.__module__, kind.__name__, value.account_id, value.region_name)


def _aws_policy(policy: Any, blobs: Blobs) -> Reduced:
    del blobs
    count = policy.attachment_count
    return rebuild.aws_policy, (policy.account_id, policy.partition, policy.arn, count)


def _name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


# By name, so that nothing of moto is imported before it is needed.
_REDUCERS: dict[str, Reducer] = {
    "moto.core.base_backend.BaseBackend": _backend,
    "moto.s3.models.FakeKey": objects.s3_object,
    "moto.s3.utils._VersionedKeyStore": objects.s3_objects,
    "moto.awslambda.models.LambdaFunction": packages.package,
    "moto.awslambda.models.LayerVersion": packages.package,
    "moto.logs.models.LogGroup": growing.log_group,
    "moto.logs.models.LogStream": growing.log_stream,
    "moto.iam.models.AWSManagedPolicy": _aws_policy,
    "moto.stepfunctions.models.StateMachine": executions.machine,
    "moto.stepfunctions.parser.backend.execution.Execution": executions.execution,
    "moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor"
    ".map_run_record.MapRunRecord": executions.map_run,
    "threading.Thread": plain.nothing,
    "threading.Event": plain.event,
    "threading.Condition": plain.condition,
    "re.Pattern": plain.pattern,
    "weakref.WeakValueDictionary": plain.weak_values,
    _name(types.FunctionType): plain.function,
    _name(type(threading.Lock())): plain.lock,
    _name(type(threading.RLock())): plain.rlock,
}
