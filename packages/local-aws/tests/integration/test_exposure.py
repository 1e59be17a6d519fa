"""What others on the host can do: users, functions, pages; and folders that cannot be used."""

import http.client
import os
import subprocess
import sys
from http.client import HTTPMessage
from pathlib import Path

import pytest

from local_aws.control import LocalAws
from local_aws.errors import LocalAwsError
from local_aws.testing.aws import Aws

NOBODY = 65534
# As another user, with what root has imported before.
ASK = """
import encodings.idna, http.client, os, sys
os.setgroups([]), os.setgid(int(sys.argv[2])), os.setuid(int(sys.argv[2]))
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)
try:
    connection.request("GET", "/_local_aws/health")
    print(connection.getresponse().status)
except OSError as error:
    print("refused")
"""


def ask(
    aws: Aws, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, HTTPMessage, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", aws.local.record.port, timeout=20)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, sent)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.headers, content


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_of_the_host_is_not_answered(aws: Aws) -> None:
    def answer(user: int) -> str:
        command = [sys.executable, "-c", ASK, str(aws.local.record.port), str(user)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=True
        ).stdout.strip()

    assert answer(0) == "200"
    assert answer(NOBODY) == "refused"


def test_the_folder_is_closed_to_others(aws: Aws) -> None:
    assert aws.local.home.stat().st_mode & 0o077 == 0


def test_the_server_shows_no_secret_of_whoever_started_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-developers-own")
    monkeypatch.setenv("SOME_TOKEN", "the-developers-own")
    with LocalAws.start(tmp_path, 0, {}, keep=False) as local:
        shown = Path(f"/proc/{local.record.pid}/environ").read_bytes()
        assert b"the-developers-own" not in shown and b"PATH=" in shown


def test_a_server_that_is_started_by_hand_leaves_the_environment_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "the-developers-own")
    command = [sys.executable, "-m", "local_aws.server.main", f"--home={tmp_path}", "--forget"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            local = Aws.eventually(lambda: _attached(tmp_path), 60)
            assert local.record.pid == process.pid
            assert b"developers" not in Path(f"/proc/{process.pid}/environ").read_bytes()
        finally:
            process.terminate()


def _attached(home: Path) -> LocalAws | None:
    try:
        return LocalAws.attach(home)
    except LocalAwsError:
        return None


def test_a_page_in_a_bucket_is_sandboxed(aws: Aws) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="pages")
    s3.put_object(Bucket="pages", Key="a.html", Body=b"<script>", ContentType="text/html")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "pages", "Key": "a.html"})
    path = url.partition(aws.local.endpoint_url)[2]
    status, headers, body = ask(aws, "GET", path, Accept="text/html")
    assert (status, body) == (200, b"<script>")
    assert headers["Content-Security-Policy"].startswith("sandbox")
    assert headers["X-Content-Type-Options"] == "nosniff"


DEEP = b"[" * 200_000


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/_local_aws/clock", ""),
        ("/2015-03-31/functions/any/invocations", ""),
        ("/", "AWSStepFunctions.StartExecution"),
        ("/", "AmazonSQS.SendMessage"),
    ],
)
def test_deeply_nested_json_is_refused_with_a_sentence(aws: Aws, path: str, target: str) -> None:
    service = {"AWSStepFunctions": "states", "AmazonSQS": "sqs"}.get(
        target.partition(".")[0], "lambda"
    )
    status, _, body = ask(
        aws,
        "POST",
        path,
        DEEP,
        Content_Type="application/x-amz-json-1.0",
        X_Amz_Target=target,
        Authorization=f"AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request",
    )
    assert 400 <= status < 500 and body


@pytest.mark.parametrize("path", ["/endpoints/any/invocations", "/endpoints/any/async-invocations"])
def test_a_request_without_a_signature_is_refused_with_a_sentence(aws: Aws, path: str) -> None:
    status, _, body = ask(aws, "POST", path, b"{}", Content_Type="application/json")
    assert 400 <= status < 500 and body and b"DEFAULT" not in body


def test_a_folder_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("")
    with pytest.raises(LocalAwsError, match="cannot use the folder"):
        LocalAws.start(home, 0, {})
    with pytest.raises(LocalAwsError, match="cannot use the folder"):
        LocalAws.start(home / "below", 0, {})


def test_a_folder_that_cannot_be_made_is_one_sentence() -> None:
    with pytest.raises(LocalAwsError, match="cannot use the folder"):
        LocalAws.start(Path("/proc/local-aws"), 0, {})
