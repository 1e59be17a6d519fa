import base64
import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scones_core.errors import BuildError
from scones_core.settings import BundleSettings
from scones_deploy.bundle import FUNCTIONS, build_bundles
from scones_deploy.wheels import Target

WHEEL = "icing-1.2-py3-none-any.whl"
HANDLER = """
import icing
from scones_core.shared import SHARED

def handler(event, context):
    return f"{icing.FLAVOUR} {SHARED} {__name__}"
"""
BUILD = """
import os, sys
from pathlib import Path
from scones_core.settings import BundleSettings
from scones_deploy.bundle import build_bundles
os.umask(int(sys.argv[2], 8))
root = Path(sys.argv[1])
build_bundles(root, root / "build/lambda", settings=BundleSettings())
"""


def write_wheel(folder: Path, name: str = WHEEL, tag: str = "py3-none-any") -> str:
    """Write a wheel with a script, and return its hash."""
    info = "icing-1.2.dist-info"
    files = {
        "icing/__init__.py": "FLAVOUR = 'lemon'\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: Icing\nVersion: 1.2\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
        f"{info}/entry_points.txt": "[console_scripts]\nicing = icing:main\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / name, "w") as wheel:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(zipfile.ZipInfo(path), text)
    return hashlib.sha256((folder / name).read_bytes()).hexdigest()


def write_project(root: Path, digest: str, requirement: str = "icing==1.2") -> Path:
    for package in ("scones_core", "scones_lambdas"):
        (root / "src" / package).mkdir(parents=True)
        (root / "src" / package / "__init__.py").write_text(f'"""{package}."""\n')
    (root / "src/scones_core/shared.py").write_text("SHARED = 'shared'\n")
    (root / "src/scones_core/unused.py").write_text("UNUSED = 1\n")
    for name in FUNCTIONS:
        (root / f"src/scones_lambdas/{name}.py").write_text(HANDLER)
    target = root / "terraform/modules/functions/runtime.json"
    target.parent.mkdir(parents=True)
    target.write_text('{"runtime": "python3.12", "architecture": "arm64"}')
    (root / "requirements").mkdir()
    lock = f"{requirement} \\\n    --hash=sha256:{digest}\n    # via -r lambda.in\n"
    (root / "requirements/lambda.lock").write_text(lock)
    return root


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of pip's world."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    return tmp_path / "wheels"


@pytest.fixture
def project(tmp_path: Path, wheels: Path) -> Path:
    return write_project(tmp_path / "project", write_wheel(wheels))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpacked wheels for the tests that are not about installing them."""
    return tmp_path_factory.mktemp("cache")


def build(
    root: Path, cache: Path | None = None, settings: BundleSettings | None = None
) -> dict[str, object]:
    out = root / "build" / "lambda"
    build_bundles(root, out, settings=settings or BundleSettings(), cache=cache)
    body: dict[str, object] = json.loads((out / "manifest.json").read_text())["bundles"]
    return body


def names(root: Path, function: str = "classify_image") -> list[str]:
    with zipfile.ZipFile(root / f"build/lambda/{function}.zip") as archive:
        return archive.namelist()


def test_a_bundle_holds_the_function_what_it_imports_and_the_wheels(
    project: Path, cache: Path
) -> None:
    build(project, cache)
    assert names(project) == [
        "icing-1.2.dist-info/METADATA",
        "icing-1.2.dist-info/WHEEL",
        "icing-1.2.dist-info/entry_points.txt",
        "icing/__init__.py",
        "scones_core/__init__.py",
        "scones_core/shared.py",
        "scones_lambdas/__init__.py",
        "scones_lambdas/classify_image.py",
    ]


def test_the_manifest_describes_each_zip(project: Path, cache: Path) -> None:
    bundles = build(project, cache)
    assert set(bundles) == set(FUNCTIONS)
    content = (project / "build/lambda/classify_image.zip").read_bytes()
    digest = hashlib.sha256(content)
    bundle = bundles["classify_image"]
    assert isinstance(bundle, dict)
    with zipfile.ZipFile(project / "build/lambda/classify_image.zip") as archive:
        unzipped = sum(info.file_size for info in archive.infolist())
    assert len(bundle.pop("content_sha256")) == 64
    assert bundle == {
        "path": "build/lambda/classify_image.zip",
        "handler": "scones_lambdas.classify_image.handler",
        "sha256": digest.hexdigest(),
        "source_code_hash": base64.b64encode(digest.digest()).decode(),
        "zip_bytes": len(content),
        "unzipped_bytes": unzipped,
        "dependencies": ["icing==1.2"],
    }


def test_the_zip_alone_runs_its_handler(project: Path, cache: Path) -> None:
    build(project, cache)
    program = (
        f"import sys; sys.path.insert(0, {str(project / 'build/lambda/filter_inferences.zip')!r})\n"
        "from scones_lambdas.filter_inferences import handler\n"
        "print(handler({}, None))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "lemon shared scones_lambdas.filter_inferences\n"


def test_another_folder_umask_time_zone_and_hash_seed_give_the_same_bytes(
    tmp_path: Path, wheels: Path
) -> None:
    digest = write_wheel(wheels)
    results = []
    for name, umask, zone in (
        ("here", "022", "UTC"),
        ("Drive (2) & co/there", "007", "Asia/Tokyo"),
    ):
        root = write_project(tmp_path / name, digest)
        environ = {**os.environ, "TZ": zone, "PYTHONHASHSEED": umask, "SOURCE_DATE_EPOCH": umask}
        environ["PYTHONPATH"] = os.pathsep.join(sys.path)
        subprocess.run(
            [sys.executable, "-c", BUILD, str(root), umask], check=True, env=environ, cwd=tmp_path
        )
        out = root / "build/lambda"
        results.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert results[0] == results[1]
    assert set(results[0]) == {"manifest.json", *(f"{name}.zip" for name in FUNCTIONS)}


def test_a_rebuild_leaves_unchanged_files_untouched(project: Path, cache: Path) -> None:
    build(project, cache)
    out = project / "build/lambda"
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    (project / "src/scones_lambdas/classify_image.py").write_text(HANDLER + "# a word\n")
    build(project, cache)
    touched = {path.name for path in out.iterdir() if path.stat().st_mtime_ns != before[path]}
    assert touched == {"classify_image.zip", "manifest.json"}


def test_a_rebuild_needs_no_wheels(project: Path, wheels: Path) -> None:
    build(project)
    (wheels / WHEEL).unlink()
    build(project)
    assert "icing/__init__.py" in names(project)


def test_a_changed_lock_is_never_served_from_the_cache(project: Path, wheels: Path) -> None:
    build(project)
    (wheels / WHEEL).unlink()
    (project / "requirements/lambda.lock").write_text("icing==1.3 --hash=sha256:" + "0" * 64)
    with pytest.raises(BuildError, match=r"icing==1\.3"):
        build(project)


def test_a_wheel_with_another_hash_is_refused(project: Path, wheels: Path) -> None:
    with zipfile.ZipFile(wheels / WHEEL, "a") as wheel:
        wheel.writestr("icing/extra.py", "EXTRA = 1\n")
    with pytest.raises(BuildError, match=r"(?i)lambda\.lock .*hash"):
        build(project)
    assert not (project / "build").exists()


def test_a_wheel_for_another_platform_is_no_wheel(tmp_path: Path, wheels: Path) -> None:
    name = "icing-1.2-cp312-cp312-macosx_11_0_arm64.whl"
    digest = write_wheel(wheels, name, "cp312-cp312-macosx_11_0_arm64")
    with pytest.raises(BuildError, match=r"Python 3\.12 on Linux"):
        build(write_project(tmp_path / "project", digest))


@pytest.mark.parametrize(("machine", "built"), [("aarch64", True), ("x86_64", False)])
def test_wheels_are_those_of_the_processor_that_terraform_deploys_to(
    tmp_path: Path, wheels: Path, machine: str, built: bool
) -> None:
    tag = f"cp312-cp312-manylinux2014_{machine}"
    root = write_project(tmp_path / "project", write_wheel(wheels, f"icing-1.2-{tag}.whl", tag))
    if built:
        assert set(build(root)) == set(FUNCTIONS)
    else:
        with pytest.raises(BuildError, match="on Linux, aarch64"):
            build(root)


def test_terraform_deploys_to_what_the_bundles_are_built_for() -> None:
    module = Path(__file__).parents[3] / "terraform" / "modules" / "functions"
    assert Target.read(module / "runtime.json") == Target("3.12", "aarch64")
    text = (module / "main.tf").read_text()
    assert "local.target.runtime" in text and "[local.target.architecture]" in text


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"runtime": "nodejs22.x", "architecture": "arm64"}']
)
def test_a_target_that_is_not_one_is_named(project: Path, text: str) -> None:
    (project / "terraform/modules/functions/runtime.json").write_text(text)
    with pytest.raises(BuildError, match=r"runtime\.json does not say"):
        build(project)


def test_a_requirement_that_a_marker_drops_is_an_error(tmp_path: Path, wheels: Path) -> None:
    requirement = "icing==1.2 ; python_version < '3'"
    root = write_project(tmp_path / "project", write_wheel(wheels), requirement)
    with pytest.raises(BuildError, match=r"icing==1\.2.*left it out"):
        build(root)


@pytest.mark.parametrize("budget", ["max_zip_bytes", "max_unzipped_bytes"])
def test_a_budget_is_kept_and_names_sizes(project: Path, cache: Path, budget: str) -> None:
    settings = BundleSettings(**{budget: 100})
    with pytest.raises(BuildError, match=rf"bundle\.{budget} = 100; its largest parts .*icing"):
        build(project, cache, settings)
    assert not (project / "build").exists()


def test_a_missing_lock_is_named(project: Path) -> None:
    (project / "requirements/lambda.lock").unlink()
    with pytest.raises(BuildError, match=r"lambda\.lock cannot be read"):
        build(project)
