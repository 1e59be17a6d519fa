"""Shared answers: where they lie in S3, for reviewers on several hosts and for training.

    labels/<reviewer>/<session>/<first>-<last>.jsonl    answers of one session, by sequence
    labels/images/<sha256>.<suffix>                     the images they are about

Every object is written once: its name says what is in it.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from scones_core.reviews.answers import Answer, Faults, parse_lines

LABELS = "labels"
IMAGES = "images"
MAX_PART_BYTES = 16 << 20
_WORKERS = 16
_PART = re.compile(
    r"(?P<root>(?:.*/)?)(?P<reviewer>[^/]+)/(?P<session>[^/]+)/(\d{6,9})-(\d{6,9})\.jsonl"
)


@dataclass(frozen=True, slots=True)
class Part:
    """An object with the answers `first` to `last` of a session; `root` ends with a slash."""

    key: str
    root: str
    reviewer: str
    session: str
    first: int
    last: int
    size: int = 0


@dataclass(frozen=True, slots=True)
class SharedAnswers:
    """Answers that were read, and what was left out: lines by reason, parts by key."""

    answers: tuple[Answer, ...]
    faults: Faults
    left_out: Mapping[str, str]


def part_key(root: str, reviewer: str, session: str, first: int, last: int) -> str:
    """Return the key of a part below a root such as `labels/`."""
    return f"{root}{reviewer}/{session}/{first:06}-{last:06}.jsonl"


def parse_part_key(key: str, size: int = 0) -> Part | None:
    """Return the part that a key names, None for any other key."""
    found = _PART.fullmatch(key)
    if found is None:
        return None
    first, last = int(found[4]), int(found[5])
    return Part(key, found["root"], found["reviewer"], found["session"], first, last, size)


def find_parts(s3: Any, bucket: str, prefix: str) -> Iterator[Part]:
    """Yield the parts below a prefix, in the order of their keys; ClientError passes through."""
    pages = s3.get_paginator("list_objects_v2")
    # The images may be many more than the answers, and are not listed.
    for top in pages.paginate(Bucket=bucket, Prefix=prefix, Delimiter="/"):
        yield from _parts_of(top)
        for folder in top.get("CommonPrefixes", []):
            if not folder["Prefix"].endswith(f"/{IMAGES}/"):
                for page in pages.paginate(Bucket=bucket, Prefix=folder["Prefix"]):
                    yield from _parts_of(page)


def _parts_of(page: Mapping[str, Any]) -> Iterator[Part]:
    for found in page.get("Contents", []):
        part = parse_part_key(found["Key"], found["Size"])
        if part is not None:
            yield part


def read_answers(s3: Any, bucket: str, prefix: str) -> SharedAnswers:
    """Return all answers below a prefix; ClientError passes through.

    An answer that lies below another reviewer's name is left out: the right to write below a
    name is what proves who answered.
    """
    left_out: dict[str, str] = {}
    parts = []
    for part in find_parts(s3, bucket, prefix):
        if part.size > MAX_PART_BYTES:
            left_out[part.key] = f"it has more than {MAX_PART_BYTES:,} bytes"
        else:
            parts.append(part)

    def read(part: Part) -> tuple[list[Answer], Faults]:
        body = s3.get_object(Bucket=bucket, Key=part.key)["Body"].read(MAX_PART_BYTES)
        return of_reviewer(body, part.reviewer)

    with ThreadPoolExecutor(_WORKERS) as pool:
        found = list(pool.map(read, parts))
    reasons: Counter[str] = Counter()
    for _, faults in found:
        reasons.update(faults.counts)
    answers = tuple(answer for some, _ in found for answer in some)
    return SharedAnswers(answers, Faults(dict(reasons)), left_out)


def of_reviewer(body: bytes, reviewer: str) -> tuple[list[Answer], Faults]:
    """Return the answers of a file of one reviewer; those in another name are faults."""
    answers, faults = parse_lines(body.splitlines())
    own = [answer for answer in answers if answer.reviewer == reviewer]
    counts = dict(faults.counts)
    if len(own) < len(answers):
        counts["it is in another reviewer's name"] = len(answers) - len(own)
    return own, Faults(counts)
