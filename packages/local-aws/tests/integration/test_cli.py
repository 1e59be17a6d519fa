import subprocess
import sys
from pathlib import Path

import pytest

from local_aws.cli import main
from local_aws.control import LocalAws


def command(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local_aws.cli", arguments[0], f"--home={home}", *arguments[1:]],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )


def test_a_server_is_started_looked_at_stopped_and_reset(tmp_path: Path) -> None:
    try:
        started = command(tmp_path, "start", "--port=0")
        assert started.returncode == 0, started.stderr
        local = LocalAws.attach(tmp_path)
        assert f"export AWS_ENDPOINT_URL={local.endpoint_url}" in started.stdout
        assert command(tmp_path, "start").stdout.count("export AWS_ENDPOINT_URL=") == 1
        assert local.endpoint_url in command(tmp_path, "status").stdout
        missing = command(tmp_path, "logs", "/aws/lambda/none")
        assert missing.returncode == 1 and "There is no log group" in missing.stderr
        listed = command(tmp_path, "patches")
        assert "moto.s3.models.S3Backend" in listed.stdout and "moto 5.2.5" in listed.stdout
        assert command(tmp_path, "access").returncode == 0
        refused = command(tmp_path, "reset")
        assert refused.returncode == 1 and "--yes" in refused.stderr
        assert LocalAws.is_running(tmp_path)
        assert command(tmp_path, "reset", "--yes").returncode == 0
        assert not LocalAws.is_running(tmp_path) and not LocalAws.has_state(tmp_path)
    finally:
        if LocalAws.is_running(tmp_path):
            LocalAws.attach(tmp_path).stop()


@pytest.mark.parametrize("name", ["stop", "status", "access"])
def test_what_needs_a_server_says_so(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, f"--home={tmp_path}"]) == 1
    assert "No embedded AWS runs" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', '{"a": {"run": ["x"]}}'])
def test_a_file_that_is_no_image_map_is_one_sentence(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    images = tmp_path / "images.json"
    images.write_text(content)
    assert main(["start", f"--home={tmp_path / 'home'}", f"--images={images}"]) == 1
    assert "is not an image map" in capsys.readouterr().err


def test_a_log_has_no_power_over_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "server.log").write_text("\x1b]0;owned\x07 line\n")
    assert main(["logs", f"--home={tmp_path}"]) == 0
    assert "\x1b" not in (shown := capsys.readouterr().out) and "owned" in shown
