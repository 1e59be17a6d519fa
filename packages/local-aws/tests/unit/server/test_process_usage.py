import os
import subprocess
import sys

from local_aws.server.process_usage import memory_mb

HOLDS = "import sys; held = b'x' * (64 << 20); print('ready', flush=True); sys.stdin.read()"
STARTS_ANOTHER = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLDS!r}])"


def test_the_memory_of_a_process_counts_those_that_it_started() -> None:
    command = [sys.executable, "-c", STARTS_ANOTHER]
    with subprocess.Popen(
        command, start_new_session=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert (memory_mb(process.pid) or 0) >= 64


def test_there_is_no_figure_for_a_process_that_has_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
    process.wait()
    assert process.pid != os.getsid(0)
    assert memory_mb(process.pid) is None
