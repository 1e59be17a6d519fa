import fcntl
import os
import resource
import threading
import time
from collections.abc import Iterator
from io import FileIO

import pytest

from local_aws.lambda_.logs import MAX_EVENT_BYTES, LogEvent, LogPipe, forget_oldest


def test_a_long_log_keeps_its_newest_events_and_never_grows_beyond_twice_as_many() -> None:
    events: list[LogEvent] = []
    for number in range(100):
        events.append(LogEvent(number, ""))
        forget_oldest(events, kept=10)
        assert len(events) <= 20
    assert [event.timestamp for event in events[-10:]] == list(range(90, 100))


def test_a_log_of_long_lines_keeps_a_bounded_number_of_bytes() -> None:
    events = [LogEvent(number, "x" * 1_000) for number in range(50)]
    forget_oldest(events, kept=100, kept_bytes=10_000)
    assert [event.timestamp for event in events] == list(range(40, 50))


@pytest.fixture
def pipe() -> Iterator[tuple[LogPipe, FileIO]]:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb", buffering=0) as sink:
        yield LogPipe(os.fdopen(reading, "rb", buffering=0), {}), sink


def test_a_program_can_print_whatever_the_number_of_its_pipes_descriptor() -> None:
    """select(2) takes none above 1,023, which a server with many connections has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(2_048, hard)), hard))
    reading, writing = os.pipe()
    high = fcntl.fcntl(reading, fcntl.F_DUPFD, 1_024)
    os.close(reading)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    log, sink = LogPipe(os.fdopen(high, "rb", buffering=0), {}), os.fdopen(writing, "wb", 0)
    # More than a pipe holds: it must be read while the program prints.
    writer = threading.Thread(target=_write_all, args=(sink, 300_000), daemon=True)
    writer.start()
    log.join(20)
    assert sum(len(event.message) for event in log.collect()) == 300_000


def test_a_line_without_end_is_cut_into_events_of_cloudwatchs_size_quickly(
    pipe: tuple[LogPipe, FileIO],
) -> None:
    log, sink = pipe
    size = 24_000_000
    began = time.monotonic()
    writer = threading.Thread(target=_write_all, args=(sink, size))
    writer.start()
    writer.join(60)
    log.join(60)
    events = log.collect()
    assert {len(event.message) for event in events[:-1]} == {MAX_EVENT_BYTES}
    assert len(events[-1].message) <= MAX_EVENT_BYTES
    # Quadratic work on as many bytes takes minutes; a copy of each takes less than a second.
    assert time.monotonic() - began < 20


def _write_all(sink: FileIO, size: int) -> None:
    left = size
    while left:
        left -= sink.write(b"x" * min(left, 1 << 16))
    sink.close()


def test_what_is_kept_of_one_invocations_output_is_bounded(pipe: tuple[LogPipe, FileIO]) -> None:
    log, sink = pipe
    writer = threading.Thread(target=_write_all, args=(sink, 40_000_000))
    writer.start()
    writer.join(60)
    log.join(60)
    assert sum(len(event.message) for event in log.collect()) <= 16 * 1024**2


def test_collecting_ends_although_the_program_never_stops_printing(
    pipe: tuple[LogPipe, FileIO],
) -> None:
    log, sink = pipe
    stop = threading.Event()

    def print_on() -> None:
        while not stop.is_set():
            sink.write(b"line\n" * 1000)

    writer = threading.Thread(target=print_on)
    writer.start()
    try:
        collected = threading.Thread(target=lambda: [log.collect() for _ in range(3)])
        collected.start()
        collected.join(20)
        assert not collected.is_alive()
    finally:
        stop.set()
        log.collect()
        writer.join(20)


def test_lines_are_whole_whatever_the_pieces_they_come_in(pipe: tuple[LogPipe, FileIO]) -> None:
    log, sink = pipe
    for piece in (b"fir", b"st\nsec", b"ond\rwith two\n", "dritte ü".encode()):
        sink.write(piece)
        log.drain()
    sink.close()
    log.join(20)
    assert [event.message for event in log.collect()] == ["first", "second\nwith two", "dritte ü"]
