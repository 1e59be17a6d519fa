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


def find_parts(s3: Any, bucket: str, root: str, reviewer: str = "") -> Iterator[Part]:
    """Yield the parts below a root such as `labels/`, of one reviewer or of all, in key order.

    What lies deeper is none: who may write below a name could answer in any other there.
    ClientError passes through.
    """
    pages = s3.get_paginator("list_objects_v2")
    prefixes = [f"{root}{reviewer}/"] if reviewer else _reviewers(pages, bucket, root)
    for prefix in prefixes:
        for page in pages.paginate(Bucket=bucket, Prefix=prefix):
            for found in page.get("Contents", []):
                part = parse_part_key(found["Key"], found["Size"])
                if part is not None and part.root == root:
                    yield part


def _reviewers(pages: Any, bucket: str, root: str) -> Iterator[str]:
    for page in pages.paginate(Bucket=bucket, Prefix=root, Delimiter="/"):
        for folder in page.get("CommonPrefixes", []):
            # The images may be many more than the answers, and are not listed.
            if folder["Prefix"] != f"{root}{IMAGES}/":
                yield folder["Prefix"]


def read_answers(s3: Any, bucket: str, root: str) -> SharedAnswers:
    """Return all answers below a root such as `labels/`; ClientError passes through.

    An answer that lies below another reviewer's name is left out: the right to write below a
    name is what proves who answered.
    """
    left_out: dict[str, str] = {}
    parts = []
    for part in find_parts(s3, bucket, root):
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
