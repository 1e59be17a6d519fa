"""Condition keys: which of them have values here, and what follows from one that has not.

A key that is not in these tables must never decide in silence: a statement with it denies what it
would deny whatever the value, and allows nothing. A key of another service than the action's has no
value for it, as in AWS.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

import functools
import logging

_log = logging.getLogger(__name__)

# The value of a key whose value this one request does not tell.
UNTOLD = "\ue003"
# Keys that requests have a value of, where AWS's have one; those that end in "/" or ":" are the
# beginnings of many.
_COMPUTED: dict[str, frozenset[str]] = {
    "aws": frozenset(
        (
            *("CurrentTime", "EpochTime", "MultiFactorAuthPresent", "PrincipalAccount"),
            *("PrincipalArn", "PrincipalIsAWSService", "PrincipalServiceName", "PrincipalTag/"),
            *("PrincipalType", "Referer", "RequestTag/", "RequestedRegion", "ResourceAccount"),
            *("ResourceTag/", "SecureTransport", "SourceAccount", "SourceArn", "SourceIdentity"),
            *("SourceIp", "TagKeys", "TokenIssueTime", "UserAgent", "ViaAWSService", "userid"),
            "username",
        )
    ),
    "application-autoscaling": frozenset(("scalable-dimension", "service-namespace")),
    "cloudwatch": frozenset(("namespace",)),
    "dynamodb": frozenset(("LeadingKeys",)),
    "ecr": frozenset(("ResourceTag/",)),
    "iam": frozenset(
        ("AWSServiceName", "PassedToService", "PermissionsBoundary", "PolicyARN", "ResourceTag/")
    ),
    "kms": frozenset(
        (
            *("CallerAccount", "EncryptionContext:", "EncryptionContextKeys"),
            *("GrantIsForAWSResource", "GranteePrincipal", "ResourceAliases", "RetiringPrincipal"),
            *("ScheduleKeyDeletionPendingWindowInDays", "ViaService"),
        )
    ),
    "lambda": frozenset(("FunctionArn", "FunctionUrlAuthType", "Layer", "Principal")),
    "s3": frozenset(
        (
            *("ExistingObjectTag/", "RequestObjectTag/", "RequestObjectTagKeys"),
            *("ResourceAccount", "TlsVersion", "authType", "delimiter", "max-keys", "prefix"),
            *("signatureAge", "signatureversion", "versionid", "x-amz-acl", "x-amz-copy-source"),
            *("x-amz-content-sha256", "x-amz-grant-full-control", "x-amz-grant-read"),
            *("x-amz-grant-read-acp", "x-amz-grant-write", "x-amz-grant-write-acp"),
            *("x-amz-metadata-directive", "x-amz-object-ownership"),
            *("x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id"),
            *("x-amz-server-side-encryption-customer-algorithm", "x-amz-storage-class"),
            "x-amz-website-redirect-location",
        )
    ),
    "sagemaker": frozenset(("ResourceTag/",)),
    "sns": frozenset(("Endpoint", "Protocol")),
    "sts": frozenset(
        ("DurationSeconds", "ExternalId", "RoleSessionName", "SourceIdentity", "TransitiveTagKeys")
    ),
}
# They have no value here, as they would have none in an account without what they are about: a
# network, an organisation, a device for a second factor, a service that calls for another one.
_NEVER = frozenset(
    (
        *("CalledVia", "CalledViaFirst", "CalledViaLast", "MultiFactorAuthAge", "PrincipalOrgID"),
        *("PrincipalOrgPaths", "ResourceOrgID", "ResourceOrgPaths", "SourceOrgID"),
        *("SourceOrgPaths", "SourceVpc", "SourceVpcArn", "SourceVpce", "VpcSourceIp"),
        *("VpceAccount", "VpceOrgID", "VpceOrgPaths", "Ec2InstanceSourcePrivateIPv4"),
        *("Ec2InstanceSourceVpc", "AssumedRoot"),
    )
)
# Those have keys of their own, of which none is computed.
_OTHER_SERVICES = (
    *("autoscaling", "budgets", "cloudformation", "ec2", "elasticloadbalancing"),
    *("events", "logs", "scheduler", "secretsmanager", "servicequotas", "sqs", "ssm", "saml"),
    *("states", "tag"),
)
# The services whose resources' tags are found. S3 takes none into account unless a bucket asks for
# it, which is not implemented, and the last two tag nothing.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/buckets-tagging.html
TAGGED = frozenset(
    (
        *("application-autoscaling", "budgets", "cloudwatch", "dynamodb", "ecr", "events", "iam"),
        *("kms", "lambda", "logs", "sagemaker", "scheduler", "sns", "sqs", "states", "sts"),
    )
)
_UNTAGGED = frozenset(("s3", "servicequotas", "tag"))


def computed_keys() -> list[str]:
    """Return the names of the keys that have values here, as AWS spells them."""
    return sorted(f"{prefix}:{name}" for prefix, names in _COMPUTED.items() for name in names)


def absent_keys() -> list[str]:
    """Return the names of the keys that never have one, since nothing here is what they mean."""
    return sorted(f"aws:{name}" for name in _NEVER)


@functools.lru_cache(maxsize=4096)
def is_known(key: str, service: str) -> bool:
    """Return whether a key without a value has none in AWS either, for an action of the service.

    What is not known is told in the log, once.
    """
    prefix, _, name = key.lower().partition(":")
    known = _NAMES.get(prefix)
    if known is None:
        # An identity provider's keys begin with its domain.
        found = "." in prefix or (prefix != service and prefix in _OTHER_SERVICES)
    elif prefix not in ("aws", service):
        found = True
    elif prefix == "aws" and name.startswith("resourcetag/"):
        found = service in TAGGED | _UNTAGGED
    else:
        found = name in known or name.startswith(_BEGINNINGS[prefix])
    if not found:
        _log.warning(
            "A policy of %s has the condition key %r, which has no value here: a statement with it "
            "denies what it names, whatever the value, and allows nothing.",
            service,
            key,
        )
    return found


_NAMES = {
    prefix: frozenset(name.lower() for name in (*names, *(_NEVER if prefix == "aws" else ())))
    for prefix, names in _COMPUTED.items()
}
_BEGINNINGS = {
    prefix: tuple(name for name in names if name.endswith(("/", ":")))
    for prefix, names in _NAMES.items()
}
