"""S3 locations."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from local_aws.errors import LocalAwsError


@dataclass(frozen=True, slots=True)
class S3Uri:
    """A bucket and a key; `str()` gives `s3://bucket/key`."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, text: str) -> "S3Uri":
        """Return the location that `s3://bucket/key` names; raises LocalAwsError otherwise."""
        parts = urlsplit(text)
        if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
            raise LocalAwsError(f"{text!r} is not an S3 location; write s3://bucket/key.")
        return cls(parts.netloc, parts.path.lstrip("/"))

    def join(self, *names: str) -> "S3Uri":
        """Return the location below this one; slashes are neither doubled nor lost."""
        parts = [self.key.rstrip("/"), *(name.strip("/") for name in names)]
        return S3Uri(self.bucket, "/".join(part for part in parts if part))

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"
