"""The tasks: `inv --list` names them, `inv <task> --help` explains one.

Their flags are declared in `scones_toolkit.commands`; what they do is in `scones_toolkit.tasks`.
"""

import sys
from pathlib import Path

from invoke import Collection
from invoke.main import program

try:
    from scones_toolkit.cli import tasks_of
    from scones_toolkit.commands import (
        demand,
        deployment,
        local,
        model,
        monitoring,
        terraform,
        workflow,
    )
    from scones_toolkit.usage import explain_usage_errors
except KeyboardInterrupt:
    # Invoke would end with exit code 1, in silence; a task that runs already ends like this.
    print("interrupted", file=sys.stderr)
    sys.exit(130)
except ModuleNotFoundError as error:
    # An `inv` of another environment, or a set-up that did not come to its end.
    sys.exit(
        f"error: {error.name} is not installed for {sys.executable}; set up .venv by `make setup`, "
        "then call .venv/bin/inv, or activate it: source .venv/bin/activate"
    )

ROOT = Path(__file__).parent

explain_usage_errors(program)
ns = Collection(*tasks_of(ROOT, model, deployment, workflow, monitoring))
ns.add_collection(Collection("local", *tasks_of(ROOT, local)))
ns.add_collection(Collection("demand", *tasks_of(ROOT, demand)))
ns.add_collection(Collection("terraform", *tasks_of(ROOT, terraform)))
