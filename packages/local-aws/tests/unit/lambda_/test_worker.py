import os

from local_aws.lambda_.worker import PeakMemory


def test_a_process_has_used_memory() -> None:
    memory = PeakMemory(os.getpid())
    assert memory.peak_mb() > 1
    memory.close()
    assert memory.peak_mb() == 0


def test_of_no_process_nothing_is_known() -> None:
    assert PeakMemory(2**30).peak_mb() == 0
