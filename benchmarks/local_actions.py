"""Every action that moto knows, called once each on a running server, which then stops and starts.

    python benchmarks/local_actions.py                     # the open services, a minute or two
    python benchmarks/local_actions.py --wrong 0.2         # a fifth of the values are wrong ones
    python benchmarks/local_actions.py --all --seconds 900 # every service of moto's, opened

Prints how the calls ended. The exit status is 1 where a call was answered with 500 or more or not
at all, a service could not be saved, or the server did not stop, start and answer afterwards.

On two shared cores: 1,528 actions of the 22 open services in 64 s, none answered with 500 or more;
with --all, 3,515 of 11,399 actions of 164 services in 200 s, none answered with 500 or more.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import botocore.session

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "packages" / "local-aws" / "src")]

from local_aws.control import LocalAws  # noqa: E402
from local_aws.core.open_services import SETTING  # noqa: E402
from local_aws.operations_page import MODELS  # noqa: E402
from local_aws.testing.actions import call_actions  # noqa: E402
from local_aws.testing.aws import Aws  # noqa: E402


def services_of_moto() -> dict[str, str]:
    """Return botocore's names of all services that moto has, with moto's."""
    from moto import backends

    known = set(botocore.session.get_session().get_available_services())
    packages = set(backends.list_of_moto_modules())
    return {name: name.replace("-", "") for name in known if name.replace("-", "") in packages}


def main() -> int:
    """Call all actions, restart the server, print the figures; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--all", action="store_true", help="open every service of moto's too")
    parser.add_argument("--seconds", type=float, default=300, help="at most so long")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--wrong", type=float, default=0, help="the share of wrong values")
    parser.add_argument("services", nargs="*", help="only these, by botocore's names")
    arguments = parser.parse_args()
    names = set(arguments.services or MODELS.values())
    if arguments.all:
        others = services_of_moto()
        names |= others.keys()
        os.environ[SETTING] = ",".join(sorted(others.values()))
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "aws"
        with LocalAws.start(home, 0, {}) as local:
            began = time.monotonic()
            calls = call_actions(
                local.endpoint_url,
                sorted(names),
                seconds=arguments.seconds,
                seed=arguments.seed,
                wrong=arguments.wrong,
            )
            took = time.monotonic() - began
            wrong += [f"{name}: {fault}" for name, fault in sorted(calls.faults.items())]
            wrong += local.problems()
            stopping = time.monotonic()
        stopped = time.monotonic() - stopping
        starting = time.monotonic()
        with LocalAws.start(home, 0, {}) as local:
            started = time.monotonic() - starting
            wrong += local.problems()
            aws = Aws(local, "")
            aws.client("s3").list_buckets()
            aws.client("stepfunctions").list_state_machines()
    total = calls.statuses.total()
    print(f"{total} actions of {len(names)} services in {took:.0f} s; {calls.left} left for time")
    for status, count in calls.statuses.most_common():
        print(f"  {status}: {count}")
    print(f"stopped in {stopped:.1f} s, started with what was saved in {started:.1f} s")
    for name, failure in sorted(calls.failures.items()):
        print(f"failed within: {name}: {failure}")
    for line in wrong:
        print(f"WRONG {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
