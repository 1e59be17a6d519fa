import re
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[3]
CONTAINER = ROOT / "container"
# What the image's programs import; torch has a lock of its own.
IMPORTED = ("torch", "numpy", "onnx", "onnxruntime", "pillow", "uvicorn")
IMAGE = {"sys_platform": "linux", "python_version": "3.12", "python_full_version": "3.12.0"}


def normalised(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def listed():
    return set((CONTAINER / "packages.txt").read_text().split())


def needs(name):
    """The packages that an installed one needs in the image, GPU libraries left out."""
    found = set()
    for text in requires(name) or []:
        requirement = Requirement(text)
        wanted = requirement.marker is None or requirement.marker.evaluate({**IMAGE, "extra": ""})
        if wanted and not re.match("nvidia|cuda|triton", requirement.name):
            found.add(normalised(requirement.name))
    return found


def test_the_image_holds_all_that_its_packages_need():
    missing, queue = set(), [normalised(name) for name in IMPORTED]
    seen = set(queue)
    while queue:
        name = queue.pop()
        if name != "torch" and name not in listed():
            missing.add(name)
        new = needs(name) - seen
        seen |= new
        queue.extend(new)
    assert not missing
    assert listed() <= seen


def select(packages):
    return subprocess.run(
        [
            sys.executable,
            CONTAINER / "select_requirements.py",
            packages,
            ROOT / "requirements" / "toolkit.lock",
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_images_lock_keeps_versions_and_hashes():
    done = select(CONTAINER / "packages.txt")
    assert done.returncode == 0, done.stderr
    lock = (ROOT / "requirements" / "toolkit.lock").read_text()
    found = set(re.findall(r"^([a-z0-9-]+)==", done.stdout, re.MULTILINE))
    assert found == listed()
    for entry in re.split(r"\n(?=\S)", done.stdout.strip()):
        assert entry in lock
        assert "--hash=sha256:" in entry


def test_a_package_that_the_lock_lacks_is_named(tmp_path):
    (tmp_path / "packages.txt").write_text("numpy\nno-such-package\n")
    done = select(tmp_path / "packages.txt")
    assert done.returncode == 1
    assert "no-such-package" in done.stderr


@pytest.mark.parametrize("name", ["train", "serve"])
def test_each_command_starts_its_program(name):
    script = (CONTAINER / name).read_text()
    assert script.startswith("#!/bin/sh\n")
    assert f"exec python -m scones_train.{name}\n" in script
    assert (CONTAINER / name).stat().st_mode & 0o111
