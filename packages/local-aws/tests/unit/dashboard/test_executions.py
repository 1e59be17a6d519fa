import json
from typing import Any

from local_aws.dashboard.executions import ExecutionTrace, parse


def hitrace(*events: tuple[str, int, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return events; each has (kind, the event before it, details)."""
    return [
        {
            "id": number,
            "previousEventId": before,
            "type": kind,
            "timestamp": f"2026-01-01T00:00:{number:02d}.000Z",
            "someEventDetails": details,
        }
        for number, (kind, before, details) in enumerate(events, 1)
    ]


def statuses(trace: ExecutionTrace) -> dict[str, str]:
    return {visit.name: visit.status for visit in trace.visits}


def test_a_visit_has_its_input_output_times_and_events() -> None:
    trace = parse(
        hitrace(
            ("ExecutionStarted", 0, {}),
            ("TaskStateEntered", 1, {"name": "A", "input": '{"in": 1}'}),
            ("LambdaFunctionScheduled", 2, {}),
            ("LambdaFunctionSucceeded", 3, {"output": "x"}),
            ("TaskStateExited", 4, {"name": "A", "output": '{"out": 2}'}),
            ("ExecutionSucceeded", 5, {}),
        )
    )
    (visit,) = trace.visits
    assert (visit.input, visit.output, visit.status) == ('{"in": 1}', '{"out": 2}', "succeeded")
    assert visit.entered.endswith("02.000Z") and visit.exited.endswith("05.000Z")
    assert [kind for _, kind in visit.events] == [
        "TaskStateEntered",
        "LambdaFunctionScheduled",
        "LambdaFunctionSucceeded",
        "TaskStateExited",
    ]


def test_a_visit_has_the_variables_that_it_assigned() -> None:
    assigned = {"n": "2", "quoted": '"a \\"b\\""'}
    details = {"name": "A", "output": "1", "assignedVariables": assigned}
    trace = parse(hitrace(("PassStateEntered", 0, {"name": "A"}), ("PassStateExited", 1, details)))
    (visit,) = trace.visits
    assert json.loads(visit.assigned) == {"n": 2, "quoted": 'a "b"'}


def test_a_state_that_is_not_left_yet_runs() -> None:
    trace = parse(hitrace(("WaitStateEntered", 0, {"name": "W"})))
    assert statuses(trace) == {"W": "running"}


def test_an_error_that_a_retry_takes_back_is_none() -> None:
    trace = parse(
        hitrace(
            ("TaskStateEntered", 0, {"name": "A"}),
            ("TaskFailed", 1, {"error": "Throttled"}),
            ("TaskSucceeded", 2, {}),
            ("TaskStateExited", 3, {"name": "A"}),
        )
    )
    assert statuses(trace) == {"A": "succeeded"} and trace.visits[0].error == ""


def test_an_error_that_is_caught_is_shown_with_its_cause() -> None:
    trace = parse(
        hitrace(
            ("TaskStateEntered", 0, {"name": "A"}),
            ("LambdaFunctionFailed", 1, {"error": "Broken", "cause": "why"}),
            ("TaskStateExited", 2, {"name": "A"}),
        )
    )
    (visit,) = trace.visits
    assert (visit.status, visit.error, visit.cause) == ("caught", "Broken", "why")


def test_the_open_states_fail_with_the_execution() -> None:
    trace = parse(
        hitrace(
            ("FailStateEntered", 0, {"name": "F"}),
            ("ExecutionFailed", 1, {"error": "E", "cause": "c"}),
        )
    )
    assert statuses(trace) == {"F": "failed"} and trace.visits[0].error == "E"


def test_an_aborted_execution_aborts_its_states_and_iterations() -> None:
    trace = parse(
        hitrace(
            ("MapStateEntered", 0, {"name": "M"}),
            ("MapIterationStarted", 1, {"name": "M", "index": 0}),
            ("TaskStateEntered", 2, {"name": "A"}),
            ("ExecutionAborted", 3, {}),
        )
    )
    assert statuses(trace) == {"M": "aborted", "A": "aborted"}
    assert trace.iterations == {(("M", 0),): "aborted"}


def test_iterations_are_distinguished_also_where_one_worker_runs_them_in_turn() -> None:
    trace = parse(
        hitrace(
            ("MapStateEntered", 0, {"name": "M"}),
            ("MapIterationStarted", 1, {"name": "M", "index": 0}),
            ("TaskStateEntered", 2, {"name": "A", "input": "0"}),
            ("TaskStateExited", 3, {"name": "A"}),
            ("MapIterationSucceeded", 4, {"name": "M", "index": 0}),
            ("MapIterationStarted", 4, {"name": "M", "index": 1}),
            ("TaskStateEntered", 6, {"name": "A", "input": "1"}),
            ("TaskFailed", 7, {"error": "E"}),
            ("MapIterationFailed", 8, {"name": "M", "index": 1}),
            ("MapStateExited", 9, {"name": "M"}),
        )
    )
    assert trace.iterations == {(("M", 0),): "succeeded", (("M", 1),): "failed"}
    assert [visit.input for visit in trace.within((("M", 1),))] == ["", "1"]
    assert trace.visits[0].status == "succeeded"


def test_an_unknown_event_and_one_without_a_known_past_are_no_fault() -> None:
    trace = parse([{"id": 9, "previousEventId": 7, "type": "Novel", "timestamp": "t"}])
    assert trace.visits == []
