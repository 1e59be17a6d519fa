from pathlib import Path

import pytest

from local_aws.sagemaker.container_processes import AlgorithmError, moved, program_argv
from local_aws.sagemaker.image_programs import ImageCommands

BASE = Path("/jobs/one/ml")
IMAGE = ImageCommands(
    train=("/venv/bin/python3", "-m", "model.train"), serve=("/venv/bin/python3", "-m", "serve")
)


def test_a_text_names_the_jobs_folder_wherever_it_named_opt_ml() -> None:
    assert moved("--in=/opt/ml/processing/x:/opt/ml", BASE) == f"--in={BASE}/processing/x:{BASE}"
    assert moved("/opt/mlflow /optional", BASE) == "/opt/mlflow /optional"


@pytest.mark.parametrize(
    ("entrypoint", "argv"),
    [
        (["train"], ("/venv/bin/python3", "-m", "model.train")),
        (["/usr/local/bin/serve"], ("/venv/bin/python3", "-m", "serve")),
        (
            ["python3", "/opt/ml/processing/code/a.py"],
            ("/venv/bin/python3", f"{BASE}/processing/code/a.py"),
        ),
        (["/usr/bin/python3.12", "-V"], ("/venv/bin/python3", "-V")),
        (["/opt/ml/processing/code/run.sh"], (f"{BASE}/processing/code/run.sh",)),
    ],
)
def test_an_entrypoint_is_a_program_of_this_host(
    entrypoint: list[str], argv: tuple[str, ...]
) -> None:
    assert program_argv(IMAGE, entrypoint, ["--x"], BASE) == (*argv, "--x")


def test_an_image_may_have_an_entrypoint_of_its_own() -> None:
    image = ImageCommands(process=("/bin/analyse",))
    assert program_argv(image, (), ["/opt/ml/a"], BASE) == ("/bin/analyse", f"{BASE}/a")
    with pytest.raises(AlgorithmError, match="give a ContainerEntrypoint"):
        program_argv(IMAGE, (), (), BASE)


def test_a_missing_program_is_reported_as_a_container_runtime_reports_it() -> None:
    with pytest.raises(AlgorithmError, match=r'exec: "no-such": executable file not found'):
        program_argv(IMAGE, ["no-such"], (), BASE)
