"""The rules of a bucket's lifecycle that S3 takes.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html
"""

from typing import Any

from moto.s3.exceptions import MalformedXML, S3ClientError

MAX_RULES = 1_000
MAX_ID = 255
MIN_DAYS_OF_INFREQUENT_ACCESS = 30
_INFREQUENT = ("STANDARD_IA", "ONEZONE_IA")
_CLASSES = (*_INFREQUENT, "INTELLIGENT_TIERING", "GLACIER", "GLACIER_IR", "DEEP_ARCHIVE")
_ACTIONS = (
    "Expiration",
    "Transition",
    "NoncurrentVersionExpiration",
    "NoncurrentVersionTransition",
    "AbortIncompleteMultipartUpload",
)


def require_rules(rules: list[dict[str, Any]]) -> None:
    """Raise S3ClientError for rules that S3 refuses."""
    if len(rules) > MAX_RULES:
        raise MalformedXML
    names = [rule["ID"] for rule in rules if rule.get("ID")]
    if len(names) != len(set(names)):
        _refuse("Rule ID must be unique. Found same ID for more than one rule")
    for rule in rules:
        if len(rule.get("ID") or "") > MAX_ID:
            _refuse(f"ID length should not exceed allowed limit of {MAX_ID}")
        if rule.get("Status") not in ("Enabled", "Disabled"):
            raise MalformedXML
        if not rule.keys() & set(_ACTIONS):
            message = "At least one action needs to be specified in a rule"
            raise S3ClientError("InvalidRequest", message)
        _require_days(rule)


def _require_days(rule: dict[str, Any]) -> None:
    expiration = _days(rule.get("Expiration"), "Days", "Expiration action")
    _days(rule.get("NoncurrentVersionExpiration"), "NoncurrentDays", "NoncurrentVersionExpiration")
    given = rule.get("AbortIncompleteMultipartUpload")
    _days(given, "DaysAfterInitiation", "AbortIncompleteMultipartUpload action")
    transitions = rule.get("Transition") or []
    for one in transitions if isinstance(transitions, list) else [transitions]:
        storage = one.get("StorageClass")
        if storage not in _CLASSES:
            raise MalformedXML
        days = _number(one.get("Days"))
        if days is not None and storage in _INFREQUENT and days < MIN_DAYS_OF_INFREQUENT_ACCESS:
            _refuse(
                "'Days' in Transition action must be greater than or equal to "
                f"{MIN_DAYS_OF_INFREQUENT_ACCESS} for storageClass '{storage}'"
            )
        if days is not None and expiration is not None and expiration <= days:
            _refuse(
                "'Days' in the Expiration action must be greater than 'Days' in the Transition "
                "action"
            )


def _days(action: Any, name: str, shown: str) -> int | None:
    """Return the days of an action; raises InvalidArgument for none that is above 0."""
    given = _number(action.get(name)) if isinstance(action, dict) else None
    if given is not None and given < 1:
        _refuse(f"'{name}' for {shown} must be a positive integer")
    return given


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return int(text)
    except ValueError as error:
        raise MalformedXML from error


def _refuse(message: str) -> None:
    raise S3ClientError("InvalidArgument", message)
