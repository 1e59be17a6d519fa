from pathlib import Path

from scones_toolkit.tasks.workflow.run import choose_images
from tests.functional.scones_toolkit.tasks.conftest import LocalProject


def test_a_folder_is_uploaded_with_its_progress_and_one_file_without_a_word(
    project: LocalProject, tmp_path: Path
) -> None:
    for name in ("van/a.png", "van/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())

    one = choose_images(project, images=[str(tmp_path / "van" / "a.png")])
    assert project.printed == ""
    both = choose_images(project, images=[str(tmp_path)])

    assert "uploading 2/2" in project.printed
    assert both[0] == one[0]
    keys = [image["key"] for image, _ in both]
    stored = project.client("s3").list_objects_v2(Bucket="data", Prefix="uploads/")["Contents"]
    assert sorted(keys) == sorted(each["Key"] for each in stored)
