"""What reviewers answered, where `inv review` leaves it for a retraining."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from scones_core.reviews import Answer, answer_line, part_key

BEGAN = datetime(2026, 11, 1, 10, tzinfo=UTC)


def put_answers(s3: Any, bucket: str, reviewer: str, labelled: Iterable[tuple[str, bytes]]) -> None:
    """Write one answer for each image, with its label, and the image."""
    lines = []
    for number, (label, body) in enumerate(labelled, 1):
        sha256 = hashlib.sha256(body).hexdigest()
        s3.put_object(Bucket=bucket, Key=f"labels/images/{sha256}.png", Body=body)
        given = Answer(
            session="s",
            sequence=number,
            reviewer=reviewer,
            action="label",
            sha256=sha256,
            file=f"{sha256}.png",
            at=(BEGAN + timedelta(seconds=number)).isoformat(),
            label=label,
        )
        lines.append(answer_line(given))
    key = part_key("labels/", reviewer, "s", 1, len(lines))
    s3.put_object(Bucket=bucket, Key=key, Body=b"".join(lines))
