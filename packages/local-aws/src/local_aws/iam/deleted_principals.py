"""Policies that name a role or a user which is deleted: they keep its unique id, not its ARN.

So nobody gets what another one had by taking its name. AWS turns the ARN into the id when it
saves a policy, and shows the ARN for as long as there is somebody of that id.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

import json
from collections.abc import Iterator
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.ecr.models import ecr_backends
from moto.events.models import events_backends
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.s3.models import s3_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from local_aws.core.context import ACCOUNT_ID
from local_aws.core.patching import patch

_WHY = "lets the next one of that name have what policies of resources gave to a deleted one"


@patch("moto.iam.models.IAMBackend.delete_role", why=_WHY)
def delete_role(original: Any, backend: Any, role_name: str) -> None:
    """Delete a role, and have the policies that name it keep its id."""
    role = backend.get_role(role_name)
    original(backend, role_name)
    _keep_id(role.arn, role.id)


@patch("moto.iam.models.IAMBackend.delete_user", why=_WHY)
def delete_user(original: Any, backend: Any, user_name: str) -> None:
    """Delete a user, and have the policies that name it keep its id."""
    user = backend.get_user(user_name)
    original(backend, user_name)
    _keep_id(user.arn, user.id)


def _keep_id(arn: str, unique_id: str) -> None:
    for owner, attribute in _policies():
        source = getattr(owner, attribute)
        text = source.decode() if isinstance(source, bytes) else source
        document = json.loads(text) if isinstance(text, str) else text
        changed = _with_id(document, arn, unique_id)
        if changed != document:
            plain = json.dumps(changed) if isinstance(text, str) else changed
            setattr(owner, attribute, plain.encode() if isinstance(source, bytes) else plain)
    for region in list(events_backends[ACCOUNT_ID].values()):
        for bus in list(region.event_buses.values()):
            for statement in list(bus._statements.values()):
                statement.principal = _renamed(statement.principal, arn, unique_id)


def _policies() -> Iterator[tuple[Any, str]]:
    """Yield what has a policy of its own, with the attribute that it is in."""
    for role in list(iam_backends[ACCOUNT_ID]["aws"].roles.values()):
        yield role, "assume_role_policy_document"
    for bucket in list(s3_backends[ACCOUNT_ID]["aws"].buckets.values()):
        if bucket.policy:
            yield bucket, "policy"
    for registry in list(ecr_backends[ACCOUNT_ID].values()):
        yield from ((one, "policy") for one in list(registry.repositories.values()) if one.policy)
    for region in list(sqs_backends[ACCOUNT_ID].values()):
        yield from ((queue, "_policy_json") for queue in list(region.queues.values()))
    for topics in list(sns_backends[ACCOUNT_ID].values()):
        yield from ((topic, "_policy_json") for topic in list(topics.topics.values()))
    for keys in list(kms_backends[ACCOUNT_ID].values()):
        yield from ((key, "policy") for key in list(keys.keys.values()))
    for functions in list(lambda_backends[ACCOUNT_ID].values()):
        for function in functions.list_functions("ALL"):
            yield function.policy, "statements"


def _with_id(document: Any, arn: str, unique_id: str) -> Any:
    """Return a policy, or its list of statements, whose principals have the id for the ARN."""
    if isinstance(document, list):
        return [_with_id(statement, arn, unique_id) for statement in document]
    if not isinstance(document, dict):
        return document
    found = {**document}
    for name in ("Principal", "NotPrincipal"):
        if name in found:
            found[name] = _renamed(found[name], arn, unique_id)
    if "Statement" in found:
        found["Statement"] = _with_id(found["Statement"], arn, unique_id)
    return found


def _renamed(principal: Any, arn: str, unique_id: str) -> Any:
    if isinstance(principal, dict):
        return {kind: _renamed(names, arn, unique_id) for kind, names in principal.items()}
    if isinstance(principal, list):
        return [_renamed(name, arn, unique_id) for name in principal]
    return unique_id if principal == arn else principal
