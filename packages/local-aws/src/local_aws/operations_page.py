"""The page docs/operations.md: which module answers an operation of a service.

    python -m local_aws.operations_page docs/operations.md

It is made from the patches that a server applies: one whose symbol is an operation's method in
moto leads to the module that declares it. What no patch concerns, moto answers alone.
"""

import collections
import re
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import botocore.session
from moto.core.utils import camelcase_to_underscores

from local_aws.core.context import Context
from local_aws.core.open_services import SERVICES
from local_aws.core.patching import Patch, patches
from local_aws.server.main import install

HEAD = """# From an operation to its module

Made by `python -m local_aws.operations_page docs/operations.md`; a test checks that it is current.
moto alone implements an operation that is not in a table: `moto/<service>/responses.py` has a
method of its name. The modules are those of `local_aws` that change what moto does for the
operation, in the order of their installation. Changes that concern a whole service (its backends,
its records) are in the module `patches` of its folder.
"""
_OWNERS = re.compile(r"moto\.(?P<service>\w+)\..*?(?P<owner>\w*(Response|Responses|Backend))\.")


def main(argv: list[str] | None = None) -> int:
    """Write the page to the file that is named; return the exit status."""
    (target,) = sys.argv[1:] if argv is None else argv
    Path(target).write_text(page(), encoding="utf-8")
    return 0


def page() -> str:
    """Return the page; installs the patches of all services in this process."""
    with tempfile.TemporaryDirectory() as home:
        context = Context(home=Path(home), endpoint_url="http://127.0.0.1:1")
        try:
            install(context)
            return render(patches(), _operations())
        finally:
            context.shutdown()


def render(applied: Iterable[Patch], operations: dict[str, set[str]]) -> str:
    """Return the page of these patches; `operations` has each service's methods."""
    found: dict[str, dict[str, list[str]]] = collections.defaultdict(dict)
    for patch in applied:
        match = _OWNERS.match(patch.symbol)
        name = patch.symbol.rpartition(".")[2].strip("_")
        if match is None or name not in operations.get(match["service"], ()):
            continue
        modules = found[match["service"]].setdefault(name, [])
        module = patch.module.removeprefix("local_aws.")
        if module != patch.module and module not in modules:
            modules.append(module)
    parts = [HEAD]
    for service in sorted(found):
        rows = [
            f"| {_camel(name)} | {', '.join(f'`{module}`' for module in modules)} |"
            for name, modules in sorted(found[service].items())
            if modules
        ]
        parts.append(
            f"## {service}\n\n| operation | modules |\n|---|---|\n" + "\n".join(rows) + "\n"
        )
    return "\n".join(parts)


def _operations() -> dict[str, set[str]]:
    """Return the methods of each open service's operations, by moto's name of the service."""
    models = botocore.session.get_session()
    return {
        service: {
            camelcase_to_underscores(operation)
            for operation in models.get_service_model(name).operation_names
        }
        for service, name in MODELS.items()
    }


# What botocore calls those services that moto's packages name otherwise.
MODELS = {
    **{service: service for service in SERVICES},
    "applicationautoscaling": "application-autoscaling",
    "awslambda": "lambda",
    "sagemakermetrics": "sagemaker-metrics",
    "sagemakerruntime": "sagemaker-runtime",
    "servicequotas": "service-quotas",
}


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


if __name__ == "__main__":
    sys.exit(main())
