"""The task that answers local pictures: in the terminal, as JSON, or on a page."""

import json
from pathlib import Path

from scones_core.errors import DatasetError, SettingsError
from scones_core.files import write_atomically
from scones_core.loopback_page import LoopbackPage
from scones_images import PHOTOS
from scones_toolkit.console import Console
from scones_toolkit.project import Project
from scones_toolkit.tasks.predict.answers import Answer, answer_picture, print_answers, summary
from scones_toolkit.tasks.predict.explain import Explanations, explain
from scones_toolkit.tasks.predict.models import LoadedModel, Target, endpoint_model, load_model
from scones_toolkit.tasks.predict.page import PredictPage
from scones_toolkit.tasks.predict.pictures import find_pictures

__all__ = ["Explanations", "predict", "show_page"]


def predict(
    project: Project,
    location: str,
    *,
    target: Target = "artifact",
    model: str | None = None,
    explain_file: Path | None = None,
    as_json: bool = False,
) -> list[Answer]:
    """Answer the pictures of a location, print the answers, and return them.

    `location` is a file, a folder or an S3 location; `model` another model than the active
    release's (`load_model`); `explain_file` gets a drawing of which part of the one picture
    decided. `as_json` prints the answers as JSON on stdout, and all else on stderr. Raises
    SettingsError for flags that do not go together, and DatasetError, after all answers are
    printed, where a picture could not be answered.
    """
    project = project.on_stderr() if as_json else project
    if target == "endpoint" and (model or explain_file):
        raise SettingsError(
            "--model and --explain go with --target artifact: the endpoint serves its own model, "
            "and says nothing but its answer."
        )
    if explain_file and explain_file.suffix.lower() != ".png":
        raise SettingsError(f"--explain writes a PNG file: {explain_file} must end in .png.")
    with project.console.working("listing the pictures"):
        found = find_pictures(project, location)
    if explain_file and len(found.pictures) > 1:
        raise SettingsError(
            f"--explain draws one picture, and {location} has {len(found.pictures)}; name one."
        )
    if explain_file:
        project.require_writable(explain_file, read=Path(found.pictures[0].name))
    chosen = endpoint_model(project) if target == "endpoint" else load_model(project, model)
    answers: list[Answer] = []
    with project.console.progress("answering") as advance:
        for picture in found.pictures:
            answers.append(answer_picture(chosen, picture, project.settings.assignment))
            if len(found.pictures) > 1:
                advance(len(answers), len(found.pictures))
    if as_json:
        Console().raw(json.dumps(summary(chosen, answers, found.passed_over), indent=1))
    else:
        print_answers(project.console, chosen, answers, found.passed_over)
    failed = [answer for answer in answers if answer.error]
    if failed:
        # Of several, each reason is printed above, or is in the JSON.
        one = len(answers) == 1
        count = f"{len(failed)} of {len(answers)} pictures could not be answered."
        raise DatasetError(f"{failed[0].picture}: {failed[0].error}." if one else count)
    if explain_file and isinstance(chosen, LoadedModel):
        _explain(project, chosen, found.pictures[0].read(), explain_file)
    return answers


def _explain(project: Project, model: LoadedModel, body: bytes, file: Path) -> None:
    try:
        write_atomically(file, explain(model, body))
    except OSError as error:
        raise SettingsError(f"{file} cannot be written: {error.strerror}.") from error
    project.console.say(
        f"{file}: left as the model sees it; right, orange speaks for the answer, blue against it."
    )


def show_page(
    project: Project, *, model: str | None = None, port: int = 0, in_browser: bool = False
) -> None:
    """Serve a page that answers pictures, on this host only, until it is interrupted."""
    chosen = load_model(project, model)
    application = PredictPage(chosen, project.settings.assignment).answer
    page = LoopbackPage(application, port=port, max_body_bytes=PHOTOS.max_bytes)
    with page:
        project.console.say(f"Answered by {chosen.name}; threshold {chosen.threshold:.4f}.")
        project.console.say(f"Open {page.url} in a browser of this host; Ctrl-C ends it.")
        if in_browser:
            import webbrowser

            webbrowser.open(page.url_once)
        page.serve()
