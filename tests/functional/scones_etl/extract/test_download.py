import hashlib
import http.server
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scones_core.errors import ChecksumMismatch, DatasetError
from scones_etl.extract.download import Rate, Remote, SourceUnreachable

CONTENT = bytes(range(256)) * 4000
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


# Ends what a handler waits for that never answers.
RELEASE = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by path: whole, cut short, without a length, endlessly, never, or not."""

    def do_GET(self) -> None:
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        if self.path == "/liar":
            self.send_header("Content-Length", "many")
        elif self.path not in {"/unsized", "/endless"}:
            self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self._answer()

    def _answer(self) -> None:
        try:
            if self.path == "/cut":
                self.wfile.write(CONTENT[:1000])
            elif self.path == "/silent":
                RELEASE.wait(30)
            elif self.path == "/endless":
                while True:
                    self.wfile.write(CONTENT)
            else:
                self.wfile.write(CONTENT)
        except OSError:
            self.close_connection = True

    def log_message(self, *_arguments: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        RELEASE.clear()
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        RELEASE.set()
        httpd.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "archive.tar.gz"


def remote(url: str, **changes: Any) -> Remote:
    return Remote(**{"url": url, "md5": MD5, "max_bytes": 2_000_000, **changes})


def left_behind(target: Path) -> list[Path]:
    return list(target.parent.iterdir()) if target.parent.exists() else []


@pytest.mark.parametrize("path", ["/whole", "/unsized"])
def test_a_whole_file_arrives_alone(
    server: str, target: Path, say: Callable[[str], None], messages: list[str], path: str
) -> None:
    remote(server + path).fetch(target, say)

    assert target.read_bytes() == CONTENT
    assert left_behind(target) == [target]
    assert messages == [f"Downloading {server}{path}"]


@pytest.mark.parametrize("path", ["/cut", "/missing", "/silent", "/liar"])
def test_a_server_that_does_not_hand_it_out_is_unreachable(
    server: str, target: Path, say: Callable[[str], None], path: str
) -> None:
    with pytest.raises(SourceUnreachable, match="SCONES_CIFAR100"):
        remote(server + path, timeout=0.3).fetch(target, say)

    assert left_behind(target) == []


def test_a_port_where_nobody_listens_is_unreachable(
    server: str, target: Path, say: Callable[[str], None]
) -> None:
    host, _, _ = server.rpartition(":")

    with pytest.raises(SourceUnreachable, match="did not hand out"):
        remote(f"{host}:1/x").fetch(target, say)


def test_another_content_is_thrown_away(
    server: str, target: Path, say: Callable[[str], None]
) -> None:
    with pytest.raises(ChecksumMismatch, match=MD5):
        remote(server + "/whole", md5="0" * 32).fetch(target, say)

    assert left_behind(target) == []


@pytest.mark.parametrize("path", ["/whole", "/endless"])
def test_a_file_that_is_too_large_is_given_up(
    server: str, target: Path, say: Callable[[str], None], path: str
) -> None:
    with pytest.raises(DatasetError, match="more than 500,000 bytes") as caught:
        remote(server + path, max_bytes=500_000).fetch(target, say)

    assert not isinstance(caught.value, SourceUnreachable)
    assert left_behind(target) == []


def test_a_full_disk_is_reported_with_folder_and_bytes(
    server: str, target: Path, say: Callable[[str], None]
) -> None:
    with pytest.raises(DatasetError, match=rf"{target.parent} .*1,024,000 bytes.*1,000 bytes left"):
        remote(server + "/whole", free=lambda _: 1000).fetch(target, say)

    assert left_behind(target) == []


def test_a_disk_that_fills_up_is_reported_with_folder_and_bytes(server: str, target: Path) -> None:
    limited = f"""
import resource
from pathlib import Path
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
from scones_core.errors import DatasetError
from scones_etl.extract.download import Remote, SourceUnreachable
try:
    Remote({server + "/whole"!r}, {MD5!r}, 2_000_000).fetch(Path({str(target)!r}), print)
except SourceUnreachable:
    print("blamed the server")
except DatasetError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", limited],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        # Python would write what it compiles, cut at the limit, where the next process imports it.
        env={"PYTHONPATH": str(Path.cwd() / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
    )

    assert f"{target.parent} cannot take the archive, which needs 1,024,000" in done.stdout
    assert left_behind(target) == []


def test_a_folder_that_is_a_file_is_reported(
    server: str, target: Path, say: Callable[[str], None]
) -> None:
    target.parent.write_text("")

    with pytest.raises(DatasetError, match=r"project\.cache_dir"):
        remote(server + "/whole").fetch(target, say)


def test_only_web_addresses_are_fetched(target: Path, say: Callable[[str], None]) -> None:
    with pytest.raises(DatasetError, match="no web address"):
        remote("file:///etc/passwd").fetch(target, say)


def test_the_rate_is_reported_periodically_with_the_time_left(
    say: Callable[[str], None], messages: list[str]
) -> None:
    now = iter([0.0, 1.0, 4.0, 5.0, 10.0])
    rate = Rate(say, "x", every_seconds=2.0, clock=lambda: next(now))

    for done in (1_000_000, 4_000_000, 5_000_000):
        rate(done, 12_000_000)
    rate(10_000_000, 0)

    assert messages == ["x: 4.0 of 12.0 MB, 1.0 MB/s, 8 s left", "x: 10.0 MB, 1.0 MB/s"]
