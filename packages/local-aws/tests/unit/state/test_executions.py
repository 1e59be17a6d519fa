import datetime

from moto.stepfunctions.parser.api import ExecutionStatus
from moto.stepfunctions.parser.backend.execution import Execution

from local_aws.state import constructors
from local_aws.state.blobs import Uses
from local_aws.state.executions import CHUNK, InChunks, note_change
from local_aws.state.pickling import dumps, new_blobs

NOON = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)


class StateMachine:
    """What owns the executions."""


def execution(number: int, *, ended: bool = True) -> Execution:
    """Return an execution with as much of moto's as is looked at."""
    made = object.__new__(Execution)
    made.exec_arn, made.exec_worker = f"arn:{number}", None
    made.stop_date = NOON + datetime.timedelta(seconds=number) if ended else None
    made.exec_status = ExecutionStatus.SUCCEEDED if ended else ExecutionStatus.RUNNING
    return made


class Saves:
    """One save after another of a list of executions."""

    def __init__(self) -> None:
        self.blobs, self.owner, self.generation = new_blobs(), StateMachine(), 0

    def __call__(self, executions: list[Execution], kind: type[InChunks] = InChunks) -> bytes:
        """Return the records; `new` is then how many bodies they brought with them."""
        self.generation += 1  # as if an execution had changed
        self.blobs.start(self.generation)
        records = dumps(kind(self.owner, executions, self.blobs), self.blobs)
        self.new = len(self.blobs.new)
        self.blobs.stored |= set(self.blobs.new)
        return records


def names(executions: list[Execution]) -> list[str]:
    return [found.exec_arn for found in executions]


def test_ended_executions_are_saved_once() -> None:
    save, executions = Saves(), [execution(number) for number in range(3 * CHUNK)]
    save(executions)
    assert save.new == 3 * CHUNK + 3 + 1
    save(executions)
    assert save.new == 0


def test_one_more_costs_its_own_body_and_its_chunk() -> None:
    save, executions = Saves(), [execution(number) for number in range(3 * CHUNK)]
    save(executions)
    for number in (3 * CHUNK, 3 * CHUNK + 1):
        executions.append(execution(number))
        save(executions)
        assert save.new == 3  # and what names the chunks


def test_forgetting_the_oldest_leaves_the_other_chunks_alone() -> None:
    save, executions = Saves(), [execution(number) for number in range(2 * CHUNK + 1)]
    save(executions)
    del executions[0]
    save(executions)
    assert save.new == 2


def test_one_that_is_run_again_is_saved_again() -> None:
    save, executions = Saves(), [execution(0), execution(1)]
    save(executions)
    executions[0].stop_date = NOON + datetime.timedelta(hours=1)
    note_change(executions[0])
    save(executions)
    assert save.new == 3


def test_what_runs_is_within_its_chunk_as_it_stands() -> None:
    save, running = Saves(), execution(1, ended=False)
    save([execution(0), running])
    vars(running)["step"] = "next"
    save([execution(0), running])
    assert save.new >= 1
    uses = Uses()
    uses.replace(save.blobs.used)
    assert len(uses.digests) == 3  # the list, its chunk, and the one that has ended


def test_nothing_is_looked_at_where_no_execution_changed() -> None:
    blobs, owner, executions = new_blobs(), StateMachine(), [execution(0)]
    blobs.start(1)
    first = InChunks(owner, executions, blobs).chunks.digest
    blobs.stored |= set(blobs.new)
    executions.clear()  # behind the back of the hook that reports changes
    blobs.start(1)
    assert InChunks(owner, executions, blobs).chunks.digest == first and not blobs.new


def test_children_come_back_by_their_arns() -> None:
    chunks = [execution(1), execution(2)], [execution(3)]
    assert list(constructors.by_arn(chunks)) == names([*chunks[0], *chunks[1]])
