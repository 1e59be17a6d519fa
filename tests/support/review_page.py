"""A review page in a process of its own, over the images of a folder: it can be killed.

`python -m tests.support.review_page ROOT IMAGES REVIEWER LABELS [show-guess]` prints the page's
address, and serves until it is killed. Its answers are in ROOT/answers.
"""

import sys
from pathlib import Path
from typing import Any

from scones_images import ImageError
from scones_monitor.review.images import ImageFolder
from scones_monitor.review.journal import AnswerJournal
from scones_monitor.review.server import ReviewApplication, review_page
from scones_monitor.review.session import ReviewSession
from scones_monitor.review.sources import Candidate, ListedSource


def candidates(images: Path, labels: list[str]) -> list[Candidate]:
    """Every file of a folder, in the order of the names, with a guess."""
    return [
        Candidate(
            {"bucket": "data", "key": path.name, "etag": path.name}, labels[n % 2], 0.5 + n / 99
        )
        for n, path in enumerate(sorted(images.iterdir()))
    ]


def session_over(
    root: Path, images: Path, reviewer: str, labels: list[str], **options: Any
) -> ReviewSession:
    def load(candidate: Candidate) -> bytes:
        path = images / candidate.image["key"]
        if not path.is_file():
            raise ImageError("the image was deleted or replaced since")
        return path.read_bytes()

    return ReviewSession(
        AnswerJournal.open(root / "answers", reviewer),
        ImageFolder(root / "images"),
        ListedSource(candidates(images, labels)),
        load,
        labels,
        **options,
    )


if __name__ == "__main__":
    root, images, reviewer, classes, *flags = sys.argv[1:]
    session = session_over(
        Path(root), Path(images), reviewer, classes.split(","), show_guess=bool(flags)
    )
    session.start()
    page = review_page(ReviewApplication(session))
    print(page.url, flush=True)
    page.serve()
