import decimal
import io
import os
import pickle
import re
import threading
import weakref
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from moto.awslambda.models import LambdaStorage
from moto.s3.models import s3_backends
from moto.s3.notifications import S3NotificationEvent
from moto.ssm.models import ssm_backends
from moto.stepfunctions.parser.asl.component.common.retry.retry_outcome import RetryOutcome

from local_aws.core.child_processes import Children
from local_aws.core.metric_store import Bucket
from local_aws.eventbridge.bus import RuleParcel
from local_aws.state.blobs import Blob, Uses
from local_aws.state.constructors import StateUnreadable
from local_aws.state.moto_backends import restore
from local_aws.state.pickling import dumps, new_blobs
from local_aws.state.unpickling import loads


class Program:
    """What a foreign file would carry: a call of something that runs programs."""

    def __init__(self, call: Callable[..., Any], *arguments: object) -> None:
        self.reduced = call, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        return self.reduced


def there_and_back(value: Any) -> Any:
    return loads(dumps(value, new_blobs()), {})


def test_plain_values_come_back() -> None:
    value = {"a": [1, 2.5, None, b"x", {"set"}], ("t",): "text", "d": defaultdict(list, {"k": [1]})}
    assert there_and_back(value) == value
    assert there_and_back(value)["d"].default_factory is list


def test_locks_and_threads_and_events_come_back_as_new_ones() -> None:
    held, event = threading.Lock(), threading.Event()
    held.acquire()
    event.set()
    lock, again, nothing, was_set, pattern = there_and_back(
        [held, threading.RLock(), threading.Thread(), event, re.compile("a+", re.IGNORECASE)]
    )
    assert lock.acquire(blocking=False) and again.acquire(blocking=False)
    assert nothing is None and was_set.is_set() and pattern.fullmatch("AA")


def test_two_names_of_one_object_stay_one_object() -> None:
    shared = threading.Event()
    first, second = there_and_back([shared, {"again": shared}])
    assert second["again"] is first


@pytest.mark.parametrize(
    "program",
    [
        Program(os.system, "true"),
        Program(eval, "1"),
        Program(pickle.loads, b"N."),
        Program(re.compile, "a"),
    ],
)
def test_a_call_of_anything_but_records_is_refused(program: Program) -> None:
    with pytest.raises(StateUnreadable, match="no record is made of"):
        loads(pickle.dumps(program), {})


def test_an_attribute_of_anything_but_an_enumeration_is_not_read() -> None:
    with pytest.raises(StateUnreadable, match="no enumeration"):
        loads(pickle.dumps(Program(getattr, "text", "upper")), {})


def test_a_member_of_an_enumeration_comes_back() -> None:
    for member in (S3NotificationEvent.OBJECT_CREATED_EVENT, RetryOutcome.CanRetry):
        assert there_and_back([member])[0] is member
    earlier = pickle.dumps(Program(getattr, RetryOutcome, "CanRetry"))
    assert loads(earlier, {}) is RetryOutcome.CanRetry


def test_a_record_is_made_without_its_constructor() -> None:
    data = dumps({"record": Bucket(unit="Count")}, new_blobs())
    assert there_and_back(Bucket(unit="Count")).unit == "Count"
    assert loads(data, {})["record"] == Bucket(unit="Count")
    # What calls a class with values gets a refusal, not an object that its constructor made.
    called = b"clocal_aws.core.metric_store\nBucket\n(S'Count'\ntR."
    with pytest.raises(StateUnreadable, match="of values"):
        loads(called, {})


def test_a_record_of_an_earlier_version_has_the_defaults_of_newer_fields() -> None:
    made = RuleParcel("rule", {"Arn": "target"}, {"id": "event"}, "chain")
    state = [made.rule_arn, made.target, made.event]  # as before `chain`
    earlier = pickle.dumps(_Earlier(RuleParcel, state))
    assert loads(earlier, {}) == RuleParcel("rule", {"Arn": "target"}, {"id": "event"})


class _Earlier:
    """A record as an earlier version saved it."""

    def __init__(self, kind: type, state: Any) -> None:
        self.kind, self.state = kind, state

    def __reduce__(self) -> tuple[Any, ...]:
        return self.kind, (), self.state


def test_a_class_is_not_changed_by_what_is_loaded() -> None:
    changed = b"clocal_aws.core.metric_store\nBucket\n(N}S'unit'\nS'forged'\nstb."
    with pytest.raises(StateUnreadable, match="changes"):
        loads(changed, {})
    assert Bucket().unit != "forged"


@pytest.mark.parametrize(
    "value", [Children(), decimal.getcontext(), io.BytesIO(b"x"), print, Program, os.environ]
)
def test_what_could_not_be_loaded_is_refused_when_it_is_saved(value: object) -> None:
    with pytest.raises(StateUnreadable):
        dumps({"a": [value]}, new_blobs())


def test_a_function_that_does_more_than_make_an_empty_value_is_refused() -> None:
    assert there_and_back(LambdaStorage("us-east-1", "1")._aliases)["missing"] == {}
    with pytest.raises(StateUnreadable):
        dumps(defaultdict(lambda: [os.sep]), new_blobs())


@pytest.mark.parametrize(
    "name",
    [
        b"cmoto.core.utils\nutcnow\n.",  # a function of moto's
        b"cmoto.s3.models\nos.system\n.",  # what a module of moto's has imported
        b"clocal_aws.core.child_processes\nsubprocess.Popen\n.",
        b"clocal_aws.control\nPath\n.",
        b"clocal_aws.state.constructors\nbackends_of\n.",
    ],
)
def test_a_name_that_is_no_class_of_a_record_is_refused(name: bytes) -> None:
    with pytest.raises(StateUnreadable):
        loads(name, {})


@pytest.mark.parametrize("damaged", [b"", b"\x80", b"\x80\x05.", b"text", b"\x80\x05]\x94(" * 9])
def test_bytes_that_are_no_pickle_are_refused(damaged: bytes) -> None:
    with pytest.raises(StateUnreadable):
        loads(damaged, {})


def test_a_body_is_made_once_for_each_mark() -> None:
    blobs, made = new_blobs(), []

    class Owner:
        pass

    owner = Owner()

    def read() -> bytes:
        made.append(1)
        return b"body"

    for mark in (1, 1, 2):
        blobs.start()
        blobs.of(owner, "part", mark, read)
        blobs.stored |= set(blobs.new)
    assert len(made) == 2 and not blobs.new and len(blobs.used) == 1


def test_a_body_that_was_not_written_is_made_again() -> None:
    blobs = new_blobs()

    class Owner:
        pass

    owner = Owner()
    for _ in range(2):
        blobs.start()
        blobs.of(owner, "part", 1, lambda: b"body")
        assert list(blobs.new.values()) == [b"body"]


def test_a_body_within_a_pickled_part_is_used_as_long_as_the_part() -> None:
    blobs = new_blobs()

    class Owner:
        pass

    outer, inner = Owner(), Owner()

    def part() -> list[Blob]:
        return [blobs.of(inner, "inner", 1, lambda: b"inner body")]

    blobs.start()
    value = blobs.pickled(outer, "outer", 1, part)
    bodies, used = dict(blobs.new), set(blobs.used)
    uses = Uses()
    uses.replace(used)
    blobs.stored |= set(bodies)
    blobs.start()
    blobs.pickled(outer, "outer", 1, part)
    assert blobs.used == used and len(used) == 1
    assert uses.digests == set(bodies) and len(bodies) == 2
    file = dumps(value, blobs)
    assert loads(file, bodies) == [b"inner body"]


def test_weak_dictionaries_hold_what_is_held_elsewhere() -> None:
    held = io.StringIO  # any class will do as a value
    values = weakref.WeakValueDictionary({"a": held})
    with pytest.raises(StateUnreadable):  # and this one is no record's
        there_and_back(values)


def test_a_backend_is_a_reference_to_the_live_one_also_of_a_service_that_is_not_open() -> None:
    for backends in (s3_backends["1"]["aws"], ssm_backends["1"]["us-east-1"]):
        assert there_and_back({"of": backends})["of"] is backends


def test_records_of_a_service_that_is_not_open_are_not_put_back() -> None:
    place = ("moto.ssm.models", "SimpleSystemManagerBackend", "1", "us-east-1")
    with pytest.raises(StateUnreadable, match="not open"):
        restore({place: {"_parameters": "forged"}})
    assert ssm_backends["1"]["us-east-1"]._parameters != "forged"
