"""The cost task: what an environment costs a month, and for each million images."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from local_aws.control import LocalAws
from scones_deploy.cost import MILLION, NOT_IN, Line, Prices, estimate
from scones_deploy.terraform.state import AppliedResource
from scones_toolkit.console import Console
from scones_toolkit.project import Project
from scones_toolkit.tasks.deployment.deploy import prepare, require_bundles


def cost(project: Project, *, images: int | None = None, as_json: bool = False) -> dict[str, Any]:
    """Print what the environment as its code says would cost, and return the figures.

    `images` a month replaces the setting; `as_json` prints the figures as JSON. Nothing is
    changed. Raises CostError for what the price table lacks.
    """
    project = project.on_stderr() if as_json else project
    usage = project.settings.override("cost", images=images).cost
    require_bundles(project)
    prices, active = Prices.load(), project.active_release
    with _with_credentials(project) as planning:
        prepare(planning)
        planned = _planned(planning)
    lines = estimate(planned, active.id if active else "", prices, usage)
    found = _figures(project, lines, prices, asdict(usage))
    if as_json:
        Console().raw(json.dumps(found, indent=1))
    else:
        _print(project, lines, found)
    return found


@contextmanager
def _with_credentials(project: Project) -> Iterator[Project]:
    """Yield the project; without credentials, with an empty embedded AWS in the account's place.

    Its plan creates everything, which costs the same; its state and build folder are its own.
    """
    if project.embedded or project.session.get_credentials() is not None:
        yield project
        return
    project.console.say(
        f"  No AWS credentials for {project.environment}: planned as if nothing were deployed."
    )
    with tempfile.TemporaryDirectory() as name:
        build = Path(name) / "build"
        shutil.copytree(project.build / "lambda", build / "lambda")
        settings = project.settings.override("project", build_dir=str(build))
        with LocalAws.start(Path(name) / "aws", 0, {}, keep=False) as aws:
            yield replace(project, settings=settings, stand_in=aws)


def _planned(project: Project) -> tuple[AppliedResource, ...]:
    """Return every resource as a plan leaves it; the plan that a user saved stays."""
    path = project.terraform_data / "cost.tfplan"
    try:
        made = project.terraform.plan(out=path)
        return project.terraform.applied(made if made.has_changes else None)
    finally:
        path.unlink(missing_ok=True)
        path.with_name(f"{path.name}.json").unlink(missing_ok=True)


def _figures(
    project: Project, lines: list[Line], prices: Prices, usage: dict[str, Any]
) -> dict[str, Any]:
    month, million = sum(line.month for line in lines), sum(line.million for line in lines)
    return {
        "environment": project.environment,
        "currency": prices.currency,
        "prices": {"region": prices.region, "checked": prices.checked},
        "lines": [asdict(line) for line in lines],
        "month": month,
        "million_images": million,
        "month_with_images": month + million * usage["images"] / MILLION,
        "assumed": usage,
        "not_in": list(NOT_IN),
    }


def _print(project: Project, lines: list[Line], found: dict[str, Any]) -> None:
    console, currency = project.console, found["currency"]
    rows = [(x.service, x.item, f"{x.month:,.2f}", f"{x.million:,.2f}") for x in lines]
    total = ("Total", "", f"{found['month']:,.2f}", f"{found['million_images']:,.2f}")
    header = ("service", "what", "a month", "a million images")
    console.grid(f"{project.environment}, in {currency}", header, [*rows, total])
    console.say(
        f"With {found['assumed']['images']:,} images a month: "
        f"{found['month_with_images']:,.2f} {currency}."
    )
    console.say(
        f"Prices of {found['prices']['region']}, {found['prices']['checked']} "
        "(src/scones_deploy/prices.json); what is assumed of the use is [cost] in scones.toml."
    )
    console.say(f"Not in: {'; '.join(NOT_IN)}.")
