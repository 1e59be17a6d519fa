"""Rules for the life of a bucket's objects, as they were given."""

from typing import Any

from local_aws.core.patching import wrap

_FAULT = "drops how many noncurrent versions a rule keeps, so that Terraform waits for it in vain"
_KEPT = "newer_noncurrent_versions"


def install() -> None:
    """Mend what a lifecycle configuration is read back as."""
    from moto.s3.models import FakeBucket
    from moto.s3.responses import S3Response

    @wrap(FakeBucket, "set_lifecycle", fault=_FAULT)
    def set_lifecycle(original: Any, bucket: Any, rules: list[dict[str, Any]]) -> None:
        original(bucket, rules)
        for rule, given in zip(bucket.rules, rules, strict=True):
            expiration = given.get("NoncurrentVersionExpiration") or {}
            setattr(rule, _KEPT, expiration.get("NewerNoncurrentVersions"))

    @wrap(S3Response, "get_bucket_lifecycle", fault=_FAULT)
    def get_bucket_lifecycle(original: Any, response: Any) -> Any:
        status, headers, body = original(response)
        rules = response.backend.get_bucket_lifecycle(response.bucket_name)
        text = body.decode() if isinstance(body, bytes) else body
        kept = [getattr(rule, _KEPT, None) for rule in rules if rule.nve_noncurrent_days]
        return status, headers, _with_kept(text, kept)


def _with_kept(text: str, kept: list[str | None]) -> str:
    """Return a configuration's document with the versions that each expiration in it keeps."""
    closing = "</NoncurrentVersionExpiration>"
    *expirations, rest = text.split(closing)
    elements = (
        f"<NewerNoncurrentVersions>{number}</NewerNoncurrentVersions>" if number else ""
        for number in kept
    )
    told = (f"{one}{added}{closing}" for one, added in zip(expirations, elements, strict=True))
    return "".join([*told, rest])
