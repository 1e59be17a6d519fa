"""Access that a request to S3 requires: actions, ARNs, condition keys, keys behind objects."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlparse
from xml.etree import ElementTree

from moto.s3.models import s3_backends

from local_aws.core.context import ACCOUNT_ID
from local_aws.iam.condition_keys import UNTOLD
from local_aws.iam.conditions import tag_values
from local_aws.iam.pass_role import replication_role
from local_aws.iam.policy_evaluation import Access
from local_aws.iam.required_access import common_values, is_encrypted
from local_aws.iam.resource_policies import kms_key
from local_aws.iam.signatures import signature_age

# moto names these by its own lights, or takes them for what the bare request would be.
_ACTIONS = {
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "ListBuckets": "ListAllMyBuckets",
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_SelectObjectContent.html
    "SelectObject": "GetObject",
}
_SUBRESOURCES = {
    "analytics": "AnalyticsConfiguration",
    "encryption": "EncryptionConfiguration",
    "intelligent-tiering": "IntelligentTieringConfiguration",
    "inventory": "InventoryConfiguration",
    "metrics": "MetricsConfiguration",
    "object-lock": "BucketObjectLockConfiguration",
    "ownershipControls": "BucketOwnershipControls",
    "publicAccessBlock": "BucketPublicAccessBlock",
    "replication": "ReplicationConfiguration",
}
# Of a version they are actions of their own; moto says so of those that read.
_VERSIONED = frozenset(("DeleteObjectTagging", "PutObjectAcl", "PutObjectTagging"))
_OBJECT_SUBRESOURCES = {"legal-hold": "ObjectLegalHold", "retention": "ObjectRetention"}
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html#object-lock-managing-bypass
_BYPASS = "BypassGovernanceRetention"
# The condition keys of what a request writes, which say nothing of what it copies.
_OF_REQUEST = ("s3:requestobjecttag", "s3:versionid", "s3:x-amz-")
_LISTING_KEYS = {"prefix": "s3:prefix", "delimiter": "s3:delimiter", "max-keys": "s3:max-keys"}
# The actions that take the keys of a listing: for others they have no value.
_LISTINGS = frozenset(("ListBucket", "ListBucketVersions", "ListBucketMultipartUploads"))
# What a header asks for in addition to the request, by the beginning of its name.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
_OBJECT_HEADERS = {
    "x-amz-acl": "PutObjectAcl",
    "x-amz-grant-": "PutObjectAcl",
    "x-amz-tagging": "PutObjectTagging",
    "x-amz-object-lock-mode": "PutObjectRetention",
    "x-amz-object-lock-retain-until-date": "PutObjectRetention",
    "x-amz-object-lock-legal-hold": "PutObjectLegalHold",
}
_BUCKET_HEADERS = {
    "x-amz-acl": "PutBucketAcl",
    "x-amz-grant-": "PutBucketAcl",
    "x-amz-bucket-object-lock-enabled": "PutBucketObjectLockConfiguration",
    "x-amz-object-ownership": "PutBucketOwnershipControls",
}
# What a new bucket has without being asked for needs no permission of its own.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
_ALWAYS_ALLOWED = frozenset(
    (("PutBucketAcl", "private"), ("PutBucketObjectLockConfiguration", "false"))
)
# Where Lambda's operations have the place of the code; "" stands for the request itself.
_CODE = {
    ("lambda", "CreateFunction"): "Code",
    ("lambda", "PublishLayerVersion"): "Content",
    ("lambda", "UpdateFunctionCode"): "",
}
# The condition keys that headers, or a form's fields, are the values of.
_HEADER_KEYS = (
    "x-amz-acl",
    "x-amz-content-sha256",
    "x-amz-copy-source",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
    "x-amz-metadata-directive",
    "x-amz-object-ownership",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
)
_KEY_HEADER = "x-amz-server-side-encryption-aws-kms-key-id"


def s3_accesses(response: Any, bucket: str | None, key: str | None) -> list[Access]:
    """Return what the caller of a request must be allowed, S3's own actions first."""
    values = {**common_values(response.region, response.headers), **_values(response)}
    resource = object_arn(bucket, key) if bucket else "*"
    listed = {**values, **_listing_values(response)}
    own = [
        Access(f"s3:{name}", resource, listed if name in _LISTINGS else values)
        for name in _actions(response, key)
    ]
    if bucket is not None and key is None and own[0].action == "s3:DeleteObject":
        return list(_deletions(response, bucket, values))
    if own[0].action == "s3:PutReplicationConfiguration" and response.method == "PUT":
        passed = {**values, "iam:passedtoservice": "s3.amazonaws.com"}
        role = replication_role(response.body)
        own += [Access("iam:PassRole", role, passed)] if role else []
    if bucket is None or key is None:
        return own
    source = list(_copied(response, values))
    return [*own, *source, *_key_accesses(response, bucket, key, values)]


def _deletions(response: Any, bucket: str, values: dict[str, Any]) -> Iterator[Access]:
    """Return what each of the objects of a DeleteObjects request needs."""
    try:
        # Expat bounds how far entities may grow, and opens nothing outside the text.
        document = ElementTree.fromstring(response.body)  # noqa: S314
    except ElementTree.ParseError:  # moto says what is wrong with it
        return
    for item in document.iterfind("{*}Object"):
        version = item.findtext("{*}VersionId")
        arn = object_arn(bucket, item.findtext("{*}Key") or "")
        yield Access(f"s3:{'DeleteObjectVersion' if version else 'DeleteObject'}", arn, values)
        if version and bypasses_retention(response.headers):
            yield Access(f"s3:{_BYPASS}", arn, values)


def read_accesses(
    arn: str, version: str | None, stored: Any, region: str, headers: Mapping[str, str]
) -> list[Access]:
    """Return what it takes to read a stored object, of which a version may be named."""
    content = headers.get("X-Amz-Content-Sha256")
    values = common_values(region, headers) | _signature_values(headers, {}, {})
    values |= {"s3:versionid": version} if version else {}
    values |= {"s3:x-amz-content-sha256": content} if content else {}
    action = "s3:GetObjectVersion" if version else "s3:GetObject"
    return [
        Access(action, arn, values),
        *_kms("Decrypt", _key_of(stored), arn, region, values),
    ]


def code_accesses(response: Any, service: str, operation: str) -> list[Access]:
    """Return what the caller of a request to Lambda needs for the object that its code is in.

    https://docs.aws.amazon.com/lambda/latest/api/API_FunctionCode.html
    """
    parameter = _CODE.get((service, operation))
    if parameter is None:
        return []
    code = response._get_param(parameter) if parameter else response
    get = code._get_param if code is response else (code or {}).get
    bucket, key, version = get("S3Bucket"), get("S3Key"), get("S3ObjectVersion")
    if not bucket or not key:
        return []
    backend = s3_backends[ACCOUNT_ID]["aws"]
    known = bucket in backend.buckets
    stored = backend.get_object(bucket, key, version_id=version) if known else None
    arn = object_arn(bucket, key)
    return read_accesses(arn, version, stored, response.region, response.headers)


def missing_object_accesses(response: Any, bucket: str, key: str) -> list[Access]:
    """Return the access that it takes to be answered that the object to be read does not exist."""
    if response.method not in ("GET", "HEAD"):
        return []
    version = next(iter(_query(response).get("versionId", ())), None)
    if _stored(response, bucket, key, version) is not None:
        return []
    values = {**common_values(response.region, response.headers), "s3:prefix": key}
    return [Access("s3:ListBucket", object_arn(bucket, None), values)]


def is_public(response: Any, bucket: str, key: str) -> bool:
    """Return whether an ACL lets everybody read the object that a request reads."""
    if response.method not in ("GET", "HEAD") or response.data["Action"] != "GetObject":
        return False
    return bool(getattr(getattr(_stored(response, bucket, key), "acl", None), "public_read", False))


def object_arn(bucket: str, key: str | None) -> str:
    """Return the ARN of an object, or of the bucket."""
    return f"arn:aws:s3:::{bucket}" if key is None else f"arn:aws:s3:::{bucket}/{key}"


def bypasses_retention(headers: Mapping[str, str]) -> bool:
    """Return whether a request asks to bypass retention in governance mode."""
    given = headers.get("x-amz-bypass-governance-retention") or ""
    return given.strip().lower() == "true"


def put_accesses(
    bucket: str, key: str, kms_key_id: str | None, region: str, values: dict[str, str]
) -> list[Access]:
    """Return what it takes to write an object, encrypted with a KMS key if one is given."""
    put = Access("s3:PutObject", object_arn(bucket, key), values)
    return [put, *_kms("GenerateDataKey", kms_key_id, put.resource, region, values)]


def _actions(response: Any, key: str | None) -> Iterator[str]:
    query, verb = _query(response), "Get" if response.method == "GET" else "Put"
    named = _SUBRESOURCES if key is None else _OBJECT_SUBRESOURCES
    for subresource, subject in named.items():
        if subresource in query:
            yield f"{verb}{subject}"
            if (
                subresource == "retention"
                and verb == "Put"
                and bypasses_retention(response.headers)
            ):
                yield _BYPASS
            return
    action = str(response.data["Action"])
    if key is not None and "tagging" in query and response.method == "DELETE":
        action = "DeleteObjectTagging"
    if response.method == "HEAD" and "versionId" in query:
        action = "GetObjectVersion"
    if "versionId" in query and action in _VERSIONED:
        action = action.replace("Object", "ObjectVersion")
    yield _ACTIONS.get(action, action)
    if response.method == "GET" and "attributes" in query and key is not None:
        yield "GetObjectAttributes"
    if action == "DeleteObjectVersion" and bypasses_retention(response.headers):
        yield _BYPASS
    if action == "PutObject":
        yield from _headed_actions(response, _OBJECT_HEADERS)
        if key is not None and response.form_data.get("acl"):
            yield "PutObjectAcl"
    if action == "CreateBucket":
        yield from _headed_actions(response, _BUCKET_HEADERS)


def _headed_actions(response: Any, named: Mapping[str, str]) -> Iterator[str]:
    headers = {name.lower(): value for name, value in response.headers.items()}
    for action in dict.fromkeys(named.values()):
        starts = tuple(start for start, asked in named.items() if asked == action)
        if any(
            header.startswith(starts) and (action, value) not in _ALWAYS_ALLOWED
            for header, value in headers.items()
        ):
            yield action


def _query(response: Any) -> dict[str, list[str]]:
    """Return the parameters of the address alone; moto mixes those of a form in the body in."""
    return parse_qs(response.parsed_url.query, keep_blank_values=True)


def _values(response: Any) -> dict[str, Any]:
    version = (_query(response).get("versionId") or [""])[0]
    form = {name.lower(): value for name, value in (response.form_data or {}).items()}
    if form.get("acl"):  # a form's fields have the names of headers, but for this one
        form["x-amz-acl"] = form["acl"]
    given = {name: response.headers.get(name) or form.get(name) for name in _HEADER_KEYS}
    values: dict[str, Any] = {f"s3:{name}": str(value) for name, value in given.items() if value}
    values |= _tag_values(response)
    values |= _signature_values(response.headers, _query(response), form)
    return {**values, "s3:versionid": version} if version else values


def _signature_values(
    headers: Mapping[str, str], query: Mapping[str, list[str]], form: Mapping[str, Any]
) -> dict[str, str]:
    """Return the condition keys of how a request is signed, and of what each request has.

    `form` has the fields of a form that is posted, by their names in lower case.

    https://docs.aws.amazon.com/AmazonS3/latest/API/bucket-policy-s3-sigv4-conditions.html
    """
    found = {"s3:resourceaccount": ACCOUNT_ID}
    found |= {"s3:tlsversion": "1.3"} if is_encrypted(headers) else {}
    authorization = headers.get("Authorization") or ""
    if authorization:
        version = "AWS" if authorization.startswith("AWS ") else "AWS4-HMAC-SHA256"
        dated, kind = headers.get("X-Amz-Date") or "", "REST-HEADER"
    elif "X-Amz-Credential" in query:
        version, dated, kind = (
            "AWS4-HMAC-SHA256",
            query.get("X-Amz-Date", [""])[0],
            "REST-QUERY-STRING",
        )
    elif "AWSAccessKeyId" in query:
        version, dated, kind = "AWS", "", "REST-QUERY-STRING"
    elif form:
        version = "AWS" if "awsaccesskeyid" in form else "AWS4-HMAC-SHA256"
        dated, kind = str(form.get("x-amz-date", "")), "POST"
    else:
        return found
    age = signature_age(dated)
    aged = {"s3:signatureage": UNTOLD if age is None else str(age)}
    return {**found, **aged, "s3:authtype": kind, "s3:signatureversion": version}


def _tag_values(response: Any) -> dict[str, Any]:
    """Return the condition keys of the tags that a request gives to an object.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/tagging-and-policies.html
    """
    tags = parse_qsl(response.headers.get("x-amz-tagging") or "", keep_blank_values=True)
    if not tags and ("tagging" in _query(response) or response.form_data.get("tagging")):
        tags = _listed_tags(response.form_data.get("tagging") or response.body)
    if not tags:
        return {}
    return {
        **tag_values("s3:requestobjecttag/", tags),
        "s3:requestobjecttagkeys": [key for key, _ in tags],
    }


def _listed_tags(body: str | bytes) -> list[tuple[str, str]]:
    """Return the tags of a Tagging document; none for what is no document."""
    try:
        # Expat bounds how far entities may grow, and opens nothing outside the text.
        document = ElementTree.fromstring(body)  # noqa: S314
    except ElementTree.ParseError:  # moto says what is wrong with it
        return []
    found = document.iterfind("{*}TagSet/{*}Tag")
    return [(tag.findtext("{*}Key") or "", tag.findtext("{*}Value") or "") for tag in found]


def _listing_values(response: Any) -> dict[str, str]:
    query = _query(response)
    return {key: query[name][0] for name, key in _LISTING_KEYS.items() if query.get(name)}


def _copied(response: Any, values: dict[str, Any]) -> Iterator[Access]:
    if response.method != "PUT" or not (source := response.headers.get("x-amz-copy-source")):
        return
    # As moto reads it: what policies are asked about is what is copied.
    parsed = urlparse(source)
    path, version = unquote(parsed.path).lstrip("/"), parse_qs(parsed.query).get("versionId")
    bucket, _, key = path.partition("/")
    values = {key: value for key, value in values.items() if not key.startswith(_OF_REQUEST)}
    values |= {"s3:versionid": version[0]} if version else {}
    yield Access("s3:GetObjectVersion" if version else "s3:GetObject", path_arn(path), values)
    stored = _stored(response, bucket, key, version[0] if version else None)
    yield from _kms("Decrypt", _key_of(stored), path_arn(path), response.region, values)


def path_arn(path: str) -> str:
    """Return the ARN of what `bucket/key` names."""
    return f"arn:aws:s3:::{path}"


def _key_accesses(response: Any, bucket: str, key: str, values: dict[str, Any]) -> Iterable[Access]:
    query, action, region = _query(response), response.data["Action"], response.region
    arn = object_arn(bucket, key)
    if "uploadId" in query and response.method in ("PUT", "POST"):
        # The parts are decrypted once more when the upload is completed.
        upload = _bucket(response, bucket).multiparts.get(query["uploadId"][0])
        return _kms("Decrypt", getattr(upload, "kms_key_id", None), arn, region, values)
    if action == "PutObject":
        return _kms("GenerateDataKey", _new_key(response, bucket), arn, region, values)
    is_read = response.method == "GET" and action in ("GetObject", "GetObjectVersion")
    if is_read or action == "SelectObject":
        version = next(iter(query.get("versionId", ())), None)
        stored = _stored(response, bucket, key, version)
        return _kms("Decrypt", _key_of(stored), arn, region, values)
    return []


def _kms(
    action: str, key_id: str | None, arn: str, region: str, values: dict[str, Any]
) -> Iterator[Access]:
    found = kms_key(key_id, region) if key_id else None
    if found is None:  # S3's own keys are everyone's, and a key that is gone is another error
        return
    via = {
        "kms:viaservice": f"s3.{region}.amazonaws.com",
        "kms:calleraccount": found.account_id,
        "kms:encryptioncontext:aws:s3:arn": arn,
    }
    yield Access(f"kms:{action}", found.arn, {**values, **via})


def _new_key(response: Any, name: str) -> str | None:
    """Return the KMS key that a new object gets: the request's, else the bucket's default."""
    encryption = response.headers.get("x-amz-server-side-encryption")
    if encryption:
        return response.headers.get(_KEY_HEADER) if encryption.startswith("aws:kms") else None
    return default_key(_bucket(response, name))


def default_key(bucket: Any) -> str | None:
    """Return the KMS key of a bucket's default encryption."""
    rule = ((getattr(bucket, "encryption", None) or {}).get("Rule")) or {}
    default = rule.get("ApplyServerSideEncryptionByDefault") or {}
    return default.get("KMSMasterKeyID") or None


def _key_of(stored: Any) -> str | None:
    encrypted = str(getattr(stored, "encryption", None) or "").startswith("aws:kms")
    return stored.kms_key_id if encrypted else None


def _bucket(response: Any, name: str) -> Any:
    return response.backend.buckets.get(name)


def _stored(response: Any, bucket: str, key: str, version: str | None = None) -> Any:
    if _bucket(response, bucket) is None:
        return None
    return response.backend.get_object(bucket, key, version_id=version)
