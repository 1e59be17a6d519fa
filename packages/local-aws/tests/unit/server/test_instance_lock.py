import os
from pathlib import Path

from local_aws.server.instance_lock import code_digest, read_record


def test_a_module_that_changed_is_other_code_and_a_touched_or_a_data_file_is_not(
    tmp_path: Path,
) -> None:
    module = tmp_path / "s3" / "api.py"
    module.parent.mkdir()
    module.write_text("a = 1\n")
    first = code_digest(tmp_path)

    os.utime(module, (1, 1))
    (tmp_path / "page.css").write_text("read at each request")
    assert code_digest(tmp_path) == first

    module.write_text("a = 2\n")
    assert code_digest(tmp_path) != first
    module.write_text("a = 1\n")
    assert code_digest(tmp_path) == first
    module.rename(tmp_path / "api.py")
    assert code_digest(tmp_path) != first


def test_a_server_that_did_not_record_its_code_ran_other_code(tmp_path: Path) -> None:
    (tmp_path / "server.json").write_text(
        '{"pid": 1, "port": 2, "endpoint_url": "http://127.0.0.1:2", "started": "noon"}'
    )
    record = read_record(tmp_path)
    assert record is not None and record.code != code_digest()
