"""A model's answer to one picture, and the tables and JSON that show it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scones_core.assignments import Assignment
from scones_core.class_folders import PICTURE_SUFFIXES
from scones_core.errors import SconesError
from scones_core.events import DECISIONS, Decision
from scones_toolkit.console import Console, plural
from scones_toolkit.tasks.predict.models import Model
from scones_toolkit.tasks.predict.pictures import Picture

SHOWN_LABELS = 5
# Pictures beyond these are not printed one by one.
LISTED = 20
BAR_CHARACTERS = 30
EIGHTHS = " ▏▎▍▌▋▊▉█"
Assignments = Mapping[str, Assignment]


@dataclass(frozen=True, slots=True)
class Answer:
    """How one picture was answered: the likeliest labels first, at most five; or why not.

    `truth` is the name of its folder where that is a class; `assignment` is what an accepted
    answer leads to, where the settings have assignments.
    """

    picture: str
    decision: Decision
    likeliest: tuple[tuple[str, float], ...] = ()
    truth: str = ""
    error: str = ""
    assignment: Assignment | None = None

    def json(self) -> dict[str, Any]:
        """Return the answer as a JSON object."""
        label, confidence = self.likeliest[0] if self.likeliest else (None, None)
        return {
            "image": self.picture,
            "decision": self.decision,
            "label": label,
            "confidence": confidence,
            "probabilities": [
                {"label": name, "probability": value} for name, value in self.likeliest
            ],
            "assignment": asdict(self.assignment) if self.assignment else None,
            "truth": self.truth or None,
            "error": self.error or None,
        }


def answer_picture(model: Model, picture: Picture, assignments: Assignments) -> Answer:
    """Return a model's answer to a picture; one without is `failed`, with the reason."""
    truth = picture.folder if picture.folder in model.labels else ""
    try:
        found = rank(model, model.answer(picture.read()))
    except (SconesError, MemoryError) as error:
        reason = str(error).rstrip(".") or "there is no memory left for it"
        return Answer(picture.name, "failed", truth=truth, error=reason)
    leads_to = assigned(model, found, assignments)
    return Answer(picture.name, decide(model, found), found, truth, assignment=leads_to)


def rank(model: Model, probabilities: Sequence[float]) -> tuple[tuple[str, float], ...]:
    """Return the likeliest labels with their probabilities, the likeliest first, at most five."""
    pairs = zip(model.labels, probabilities, strict=True)
    return tuple(sorted(pairs, key=lambda pair: -pair[1])[:SHOWN_LABELS])


def decide(model: Model, likeliest: Sequence[tuple[str, float]]) -> Decision:
    """Return what the workflow decides: accepted from the threshold on, else review."""
    return "accepted" if likeliest[0][1] >= model.threshold else "review"


def assigned(
    model: Model, likeliest: Sequence[tuple[str, float]], assignments: Assignments
) -> Assignment | None:
    """Return what an answer leads to; None for one to review, and without assignments."""
    return assignments.get(likeliest[0][0]) if decide(model, likeliest) == "accepted" else None


def assignment_text(found: Assignment) -> str:
    """Return an assignment in words, as `bay A, near orders to 3 km`."""
    return f"bay {found.bay}, {found.orders} orders to {found.max_km:g} km"


def summary(model: Model, answers: Sequence[Answer], passed_over: int) -> dict[str, Any]:
    """Return all answers as JSON: the model, counts by decision, and each answer."""
    right, known = _right(answers)
    counts: dict[str, int] = {str(name): n for name, n in _counts(answers).items()}
    counts |= {"right": right, "of_known_class": known, "passed_over": passed_over}
    return {
        "model": model.name,
        "labels": list(model.labels),
        "threshold": model.threshold,
        "counts": counts,
        "results": [answer.json() for answer in answers],
    }


def print_answers(
    console: Console, model: Model, answers: Sequence[Answer], passed_over: int
) -> None:
    """Print one picture's likeliest labels as bars; of several, the likeliest of each.

    Why the only picture could not be answered is the error that the task ends with.
    """
    if len(answers) > 1:
        _print_all(console, answers)
    elif answers[0].likeliest:
        _print_one(console, model, answers[0])
    if passed_over:
        kinds = ", ".join(sorted(PICTURE_SUFFIXES))
        files = plural(passed_over, "other file")
        verb = "was" if passed_over == 1 else "were"
        console.say(f"{files} {verb} passed over: hidden, or none of {kinds}.")
    if any(not answer.error for answer in answers):
        console.say(f"Answered by {model.name}; threshold {model.threshold:.4f}.")


def _print_one(console: Console, model: Model, answer: Answer) -> None:
    width = max(len(name) for name, _ in answer.likeliest)
    label, confidence = answer.likeliest[0]
    sign = ">=" if answer.decision == "accepted" else "<"
    console.say(
        f"{answer.picture}: {label}, {answer.decision} ({confidence:.4f} {sign} "
        f"{model.threshold:.4f})"
    )
    if answer.assignment:
        console.say(f"  {assignment_text(answer.assignment)}")
    for name, value in answer.likeliest:
        console.say(f"  {name.ljust(width)}  {bar(console, value)}  {value:.4f}")


def _print_all(console: Console, answers: Sequence[Answer]) -> None:
    truth = any(answer.truth for answer in answers)
    rows = [_row(console, answer, truth=truth) for answer in answers[:LISTED]]
    more = f"First {LISTED} of {len(answers)}; --json prints all" if answers[LISTED:] else ""
    header = ("image", "decision", "answer", "confidence", "", "assignment")
    console.grid(more, (*header, "truth") if truth else header, rows)
    console.say(", ".join(f"{n} {name}" for name, n in _counts(answers).items()))
    right, known = _right(answers)
    if known:
        console.say(f"{right} of {known} pictures of known class are right.")
    failed = [answer for answer in answers if answer.error]
    for answer in failed[:LISTED]:
        console.warn(f"{answer.picture}: {answer.error}.")
    if failed[LISTED:]:
        console.warn(f"{len(failed) - LISTED} more could not be answered; --json has the reasons.")


def _row(console: Console, answer: Answer, *, truth: bool) -> tuple[str, ...]:
    if answer.likeliest:
        label, confidence = answer.likeliest[0]
        leads_to = assignment_text(answer.assignment) if answer.assignment else ""
        cells = (label, f"{confidence:.4f}", bar(console, confidence), leads_to)
    else:
        cells = ("", "", "", "")
    row = (answer.picture, answer.decision, *cells)
    return (*row, answer.truth) if truth else row


def bar(console: Console, value: float) -> str:
    """Return a probability as a bar of 30 characters, in eighths where they can be printed."""
    if not console.rich.encoding.lower().startswith("utf"):
        return ("#" * round(value * BAR_CHARACTERS)).ljust(BAR_CHARACTERS)
    whole, rest = divmod(round(value * BAR_CHARACTERS * 8), 8)
    return (EIGHTHS[8] * whole + (EIGHTHS[rest] if rest else "")).ljust(BAR_CHARACTERS)


def _counts(answers: Sequence[Answer]) -> dict[Decision, int]:
    decisions = [answer.decision for answer in answers]
    return {decision: decisions.count(decision) for decision in DECISIONS}


def _right(answers: Sequence[Answer]) -> tuple[int, int]:
    """Return how many answered pictures of known class are right, and how many there are."""
    known = [answer for answer in answers if answer.truth and answer.likeliest]
    return sum(answer.likeliest[0][0] == answer.truth for answer in known), len(known)
