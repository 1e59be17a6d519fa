import json
from pathlib import Path

import pytest

from local_aws.errors import LocalAwsError
from local_aws.sagemaker.image_programs import (
    ImageCommands,
    UnknownImage,
    argv_for,
    commands_for,
    read_images,
    repository_name,
    write_images,
)

REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        (f"{REGISTRY}/scones-local:1", "scones-local"),
        (f"{REGISTRY}/team/scones@sha256:{'0' * 64}", "team/scones"),
        ("localhost:5000/scones:2", "scones"),
        ("team/scones", "team/scones"),
        ("scones:latest", "scones"),
    ],
)
def test_a_repository_has_no_registry_tag_or_digest(image: str, repository: str) -> None:
    assert repository_name(image) == repository


def test_what_is_written_is_read_again_and_matches_by_glob(tmp_path: Path) -> None:
    path = tmp_path / "images.json"
    commands = ImageCommands(("python", "train.py"), ("python", "serve.py"), {"A": "1"})
    write_images(path, {"scones-*": commands, "*": ImageCommands()})

    assert read_images(path)["scones-*"] == commands
    assert commands_for(f"{REGISTRY}/scones-dev:7", path) == commands
    assert argv_for(f"{REGISTRY}/scones-dev:7", "train", path) == (commands.train, {"A": "1"})


def test_an_unknown_image_names_the_image_and_the_map(tmp_path: Path) -> None:
    path = tmp_path / "images.json"
    write_images(path, {"scones-*": ImageCommands(("train",), ("serve",))})

    with pytest.raises(UnknownImage) as caught:
        commands_for(f"{REGISTRY}/other:1", path)

    assert f"{REGISTRY}/other:1" in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_map_knows_no_image(tmp_path: Path) -> None:
    with pytest.raises(UnknownImage, match=r"missing\.json"):
        commands_for("scones", tmp_path / "missing.json")


def test_an_image_without_the_command_says_which(tmp_path: Path) -> None:
    path = tmp_path / "images.json"
    write_images(path, {"*": ImageCommands(train=("train",))})

    with pytest.raises(UnknownImage, match="'serve'"):
        argv_for("scones", "serve", path)


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"a": 1}', '{"a": {"train": "python x"}}', '{"a": {"serve": [1]}}'],
)
def test_a_malformed_map_is_refused_with_its_path(tmp_path: Path, content: str) -> None:
    path = tmp_path / "images.json"
    path.write_text(content)

    with pytest.raises(LocalAwsError, match=r"images\.json"):
        read_images(path)


def test_a_map_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "images.json"
    write_images(path, {"old": ImageCommands()})

    with pytest.raises(TypeError):
        write_images(path, {"new": ImageCommands(environment={"A": object()})})  # type: ignore[dict-item]

    assert list(json.loads(path.read_text())) == ["old"]
    assert list(tmp_path.iterdir()) == [path]
