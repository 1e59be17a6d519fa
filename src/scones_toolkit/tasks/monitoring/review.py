"""The task that has a person decide the images under review: on a page, or in a list."""

import csv
import getpass
import io
import re
import statistics
import threading
import time
import webbrowser
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import combinations
from pathlib import Path
from shlex import quote
from typing import Any, Literal

from botocore.exceptions import ClientError

from local_aws.errors import LocalAwsError
from scones_core.errors import DatasetError, MonitorError
from scones_core.events import Result
from scones_core.files import write_atomically
from scones_core.loopback_page import LoopbackPage
from scones_core.reviews import (
    IMAGES,
    Answer,
    SharedAnswers,
    agreement,
    consensus,
    current_answers,
    read_answers,
    require_reviewer,
)
from scones_core.reviews.shared import LABELS, of_reviewer
from scones_core.uris import S3Uri
from scones_etl.extract.labelled_folder import ANSWERS, LABELS_FILE, read_table
from scones_etl.extract.labelled_folder import COLUMNS as LABEL_COLUMNS
from scones_monitor.joined_results import Joined, join
from scones_monitor.review.images import ImageFolder
from scones_monitor.review.journal import AnswerJournal
from scones_monitor.review.server import ReviewApplication, review_page
from scones_monitor.review.session import ReviewSession
from scones_monitor.review.sources import (
    Images,
    ListedSource,
    ReviewQueue,
    Source,
    SourceUnavailable,
    of_answers,
    of_results,
)
from scones_monitor.review.uploads import Uploads
from scones_toolkit.console import plural
from scones_toolkit.project import Project
from scones_toolkit.tasks.etl import ALL_CLASSES
from scones_toolkit.tasks.monitoring.report import captures
from scones_toolkit.tasks.monitoring.sampling import sampled
from scones_toolkit.tasks.workflow.results import results_of

Of = Literal["auto", "queue", "run", "accepted", "answered", "disputed", "sample"]

# Seconds that the end of a review waits for answers to reach S3.
UPLOAD_SECONDS = 20.0
# Seconds for the first image to come.
FIRST_SECONDS = 20.0
# Seconds for which the other reviewers' answers are not read again.
OTHERS_SECONDS = 10.0
# Disagreements beyond these are counted, not listed.
LISTED = 20
COLUMNS = ("file", "guess", "confidence", "label")
# An inference id comes from whoever called the endpoint, and becomes a file name here.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_SUFFIXES = {"image/png": "png", "image/jpeg": "jpg", "application/x-image": "img"}


def review(
    project: Project,
    *,
    of: Of = "auto",
    run: str = "",
    reviewer: str | None = None,
    classes: str | None = None,
    port: int | None = None,
    show_guess: bool | None = None,
    in_browser: bool = True,
    out: Path | None = None,
    until: threading.Event | None = None,
) -> None:
    """Serve the review page until Ctrl-C, or until `until` is set.

    `of` is where the images come from: the review queue, a `run`, what a run accepted, what other
    reviewers answered (a second opinion), what they dispute, or the random samples that were
    drawn; `auto` takes the queue where Terraform made one, else the last run. `classes` are
    comma-separated names; without them those of the model and of [dataset]. Raises SettingsError
    for a reviewer's name, MonitorError where there is no such queue, run or sample, or the
    reviewer has a page open already.
    """
    settings = project.settings.override(
        "review", reviewer=reviewer, port=port, show_guess=show_guess
    ).review
    name = require_reviewer(settings.reviewer or _user())
    folder = out or project.review_folder
    journal = AnswerJournal.open(folder / ANSWERS, name)
    try:
        session, uploads = _session(
            *(project, journal, folder, of, run),
            labels=_classes(project, classes),
            show_guess=settings.show_guess,
        )
        application = ReviewApplication(
            session,
            upload=lambda: (uploads.pending, uploads.trouble),
            others=_Others(project),
        )
        with review_page(application, settings.port) as page:
            _serve(
                *(project, session, uploads, page),
                browser=in_browser,
                until=until or threading.Event(),
            )
        _print_closed(project, session)
        _print_end(project, journal)
    finally:
        journal.close()


def _session(
    project: Project,
    journal: AnswerJournal,
    folder: Path,
    of: Of,
    run: str,
    *,
    labels: Sequence[str],
    show_guess: bool,
) -> tuple[ReviewSession, Uploads]:
    """Return the session of a reviewer's journal, and what stores its answers in the bucket."""
    shared, reviewer = _shared(project).answers, journal.reviewer
    others = [answer for answer in [*shared, *_local(folder)] if answer.reviewer != reviewer]
    images, connect = ImageFolder(folder / IMAGES), _connect(project)
    bucket = project.deployment.data_bucket
    uploads = Uploads(connect, bucket, f"{LABELS}/", images, earlier=journal.answers)
    session = ReviewSession(
        journal,
        images,
        _source(project, connect, of, run, others),
        Images(connect, bucket, f"{LABELS}/{IMAGES}/"),
        labels,
        show_guess=show_guess,
        elsewhere=[answer for answer in shared if answer.reviewer == reviewer],
        others=others,
        on_answer=uploads.add,
    )
    uploads.on_stored = session.stored
    return session, uploads


def _serve(
    project: Project,
    session: ReviewSession,
    uploads: Uploads,
    page: LoopbackPage,
    *,
    browser: bool,
    until: threading.Event,
) -> None:
    uploads.start()
    session.start()
    try:
        state = session.state(FIRST_SECONDS)
        for reason in state["left_out"]:
            project.console.warn(f"  left out: {reason}")
        if state["item"] is None and not state["loading"]:
            project.console.say(f"No image waits for review. {state['note']}".rstrip())
            closable = state["progress"]["unusable"] if state["grows"] else 0
            if not (state["can_undo"] or state["progress"]["skipped"] or closable):
                return
        with page:
            page.start()
            project.console.say(f"Review on {page.url}\nCtrl-C ends it; every answer is kept.")
            if browser:
                webbrowser.open(page.url_once)
            # An event that is waited for without a limit would keep Ctrl-C waiting, too.
            while not until.wait(1.0):
                pass
    except KeyboardInterrupt:
        project.console.say("")
    finally:
        if left := uploads.close(UPLOAD_SECONDS):
            project.console.warn(
                f"  Not in S3 yet: {plural(left, 'answer')} "
                f"({uploads.trouble or 'no time was left'}); "
                "the next inv review uploads them."
            )
        session.close()


def _print_closed(project: Project, session: ReviewSession) -> None:
    """Print which images were taken out of the queue undecided: nothing else says so."""
    for unusable in session.closed[:LISTED]:
        project.console.say(f"  closed: {unusable.candidate.place}: {unusable.reason}")
    if session.closed:
        project.console.say(
            f"Taken out of the queue undecided, as not to be shown: "
            f"{plural(len(session.closed), 'image')}."
        )


def _print_end(project: Project, journal: AnswerJournal) -> None:
    answers = [answer for answer in journal.answers if answer.session == journal.session]
    held = current_answers(answers).answers.values()
    labelled = [answer for answer in held if answer.action == "label"]
    if not labelled:
        return
    middle = statistics.median(answer.seconds for answer in labelled)
    where = S3Uri(project.deployment.data_bucket, LABELS)
    project.console.say(
        f"{plural(len(labelled), 'image')} answered, median {middle:.1f} s each; the answers are "
        f"in {journal.path} and {where.join(journal.reviewer)}/."
    )
    project.hint(f"etl --add {where}", "review --agreement")


def _user() -> str:
    try:
        return re.sub(r"[^a-z0-9._-]", "-", getpass.getuser().lower()).lstrip("._-")[:64]
    except (KeyError, OSError):
        return ""


def _connect(project: Project) -> Callable[[str], Any]:
    """Return what makes clients: after a restart the embedded AWS may have another address."""

    def connect(service: str) -> Any:
        try:
            return replace(project).client(service)
        except LocalAwsError as error:
            raise SourceUnavailable(str(error)) from error

    return connect


def _classes(project: Project, given: str | None) -> list[str]:
    """Return the classes in the order of their keys: the model's first, then new ones."""
    if given:
        return list(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))
    own = [name for name in project.settings.dataset.classes if name != ALL_CLASSES]
    return list(dict.fromkeys([*project.deployment.labels, *own]))


def _source(
    project: Project, connect: Callable[[str], Any], of: Of, run: str, others: list[Answer]
) -> Source:
    if of in ("answered", "disputed"):
        votes = current_answers(others).votes()
        chosen = consensus(votes).disputed if of == "disputed" else votes
        return ListedSource(of_answers(answer for answer in others if answer.sha256 in chosen))
    if of == "sample":
        return ListedSource(sampled(project))
    if of == "accepted":
        return ListedSource(of_results(results_of(project, run), "accepted"))
    if not run and of != "run":
        url = queue_url(project)
        if url:
            return ReviewQueue(connect, url)
        if of == "queue":
            raise MonitorError(
                f"{project.environment} has no review queue; give --of run, or apply the present "
                f"Terraform: inv apply{project.env_flag}"
            )
    return ListedSource(of_results(results_of(project, run)))


def queue_url(project: Project) -> str:
    """Return the URL of the environment's review queue, empty where it has none."""
    prefix = project.deployment.state_machine_arn.rpartition(":")[2].removesuffix("-classify")
    try:
        return str(project.client("sqs").get_queue_url(QueueName=f"{prefix}-review")["QueueUrl"])
    except ClientError as error:
        if error.response["Error"]["Code"].endswith(("NonExistentQueue", "QueueDoesNotExist")):
            return ""
        raise


def _shared(project: Project) -> SharedAnswers:
    """Return all answers in S3, and print what was left out."""
    bucket = project.deployment.data_bucket
    answers = read_answers(project.client("s3"), bucket, f"{LABELS}/")
    for reason, count in answers.faults.counts.items():
        project.console.warn(f"  Left out of the answers in S3: {plural(count, 'line')}: {reason}")
    for key, reason in answers.left_out.items():
        project.console.warn(f"  s3://{bucket}/{key} is left out: {reason}")
    return answers


def _local(folder: Path) -> list[Answer]:
    """Return the answers of this host's reviewers; faults are shown to their own reviewer."""
    answers: list[Answer] = []
    for path in sorted((folder / ANSWERS).glob("*.jsonl")):
        answers += of_reviewer(path.read_bytes(), path.stem)[0]
    return answers


class _Others:
    """The answers in S3, read again at most every few seconds."""

    def __init__(self, project: Project) -> None:
        self._project, self._read_at = project, float("-inf")
        self._found: tuple[Answer, ...] = ()

    def __call__(self) -> tuple[Answer, ...]:
        if time.monotonic() - self._read_at > OTHERS_SECONDS:
            client = _connect(self._project)("s3")
            bucket = self._project.deployment.data_bucket
            self._found = read_answers(client, bucket, f"{LABELS}/").answers
            self._read_at = time.monotonic()
        return self._found


def print_agreement(project: Project, *, out: Path | None = None) -> None:
    """Print Cohen's kappa of each pair of reviewers, and the images that they label differently."""
    folder = out or project.review_folder
    current = current_answers([*_shared(project).answers, *_local(folder)])
    votes = current.votes()
    names = sorted({name for by_reviewer in votes.values() for name in by_reviewer})
    pairs = [agreement(votes, *pair) for pair in combinations(names, 2)]
    common = [pair for pair in pairs if pair.n]
    if not common:
        project.console.say(
            f"{len(names)} reviewer{' has' if len(names) == 1 else 's have'} labelled "
            f"{plural(len(votes), 'image')}, none twice. A "
            f"second opinion: inv review --of answered --reviewer <name>{project.env_flag}"
        )
        return
    project.console.grid(
        "",
        ("reviewers", "n", "equal", "Cohen's kappa"),
        [
            (
                f"{pair.first}, {pair.second}",
                pair.n,
                pair.agreed,
                "not defined" if pair.kappa is None else f"{pair.kappa:.2f}",
            )
            for pair in common
        ],
    )
    disputed = consensus(votes).disputed
    files = {answer.sha256: answer.file for answer in current.answers.values()}
    for sha256, by_reviewer in list(disputed.items())[:LISTED]:
        labels_given = ", ".join(
            f"{reviewer}: {label}" for reviewer, label in sorted(by_reviewer.items())
        )
        project.console.say(f"  {files[sha256]}  {labels_given}")
    project.console.say(
        f"{len(disputed)} of {len(votes)} images have no label that most reviewers gave, and are "
        f"left out of training; {current.revised} images were answered twice by one reviewer, "
        "whose later answer holds."
    )
    if disputed:
        project.hint("review --of disputed --reviewer <name>")


def write_list(project: Project, *, out: Path | None = None) -> Path:
    """Write the last run's images under review and their `labels.csv`, and return the folder.

    The images are the captured bytes, in order of rising confidence. The `label` column is
    empty but for what was filled in before: fetching again loses no work. Nothing is
    written where no image is under review.
    """
    record = project.records.read("execution")
    results: list[Result] = record["results"]
    waiting = [result for result in results if result["decision"] == "review"]
    folder = out or project.review_folder
    if not waiting:
        project.console.say("No image of the last run is under review; there is nothing to label.")
        return folder
    captured = captures(project, waiting, datetime.fromisoformat(record["started_at"]))
    found = [row for row in join(waiting, captured.records) if row.record.image]
    rows = sorted(found, key=lambda row: (row.confidence, row.key))
    write_atomically(folder / LABELS_FILE, _table(folder, rows).encode())
    project.console.say(
        f"{len(rows)} of {len(waiting)} images under review are in {folder}. Write a class into "
        f"the label column of {LABELS_FILE}; leave it empty to skip an image. Next: "
        f"inv etl{project.env_flag} --add {quote(str(folder))}"
    )
    return folder


def _table(folder: Path, rows: Sequence[Joined]) -> str:
    """Write each image, and return the list of them."""
    known = _filled_in(folder / LABELS_FILE)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for row in rows:
        name = _name(row)
        if name is None:
            continue
        write_atomically(folder / name, row.record.image)
        table.writerow((name, row.label, f"{row.confidence:.4f}", known.pop(name, "")))
    for name, label in known.items():
        table.writerow((name, "", "", label))
    return text.getvalue()


def _name(row: Joined) -> str | None:
    if not row.record.inference_id:
        return None
    suffix = _SUFFIXES.get(row.record.content_type, "img")
    plain = _PLAIN.fullmatch(row.record.inference_id)
    return f"{row.record.inference_id}.{suffix}" if plain else None


def _filled_in(path: Path) -> dict[str, str]:
    """Return the labels that an earlier list holds, by file, however a spreadsheet saved it.

    Raises MonitorError for a list that is not understood: nobody's work is overwritten.
    """
    if not path.is_file() or not path.stat().st_size:
        return {}
    try:
        header, rows = read_table(path)
    except DatasetError as error:
        raise MonitorError(f"{error} Correct it, or move it away; then fetch again.") from error
    if not set(header) >= LABEL_COLUMNS:
        raise MonitorError(
            f"{path} needs the columns file and label; its header has {', '.join(header)}. Correct "
            "it, or move it away; then fetch again."
        )
    filled = ((row.values.get("file", ""), row.values.get("label", "")) for row in rows)
    return {name: label for name, label in filled if name and label}
