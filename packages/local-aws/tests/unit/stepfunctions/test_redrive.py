import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from local_aws.stepfunctions.progress import enter_flow, resume
from local_aws.stepfunctions.redrive import redrive_status


@pytest.mark.parametrize(("progress", "status"), [({}, "REDRIVABLE"), (None, "NOT_REDRIVABLE")])
def test_what_was_stopped_before_its_first_state_is_redrivable_and_a_crash_is_not(
    progress: dict[str, Any] | None, status: str
) -> None:
    now = datetime.datetime.now(datetime.UTC)
    ended = SimpleNamespace(status="ABORTED", start_date=now, progress=progress)
    assert redrive_status(ended)[0] == status


def test_a_redrive_of_what_had_no_state_yet_begins_with_the_first() -> None:
    env = SimpleNamespace(progress=resume({}))
    assert enter_flow(env, "First")
    assert env.next_state_name == "First"
