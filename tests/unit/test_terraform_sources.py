"""What every module of the Terraform keeps to, read from its HCL."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree_sitter_hcl
from tree_sitter import Language, Node, Parser

from scones_monitor.release_history import ACTIVE, CHOSEN
from scones_train.sagemaker.training_job_request import NVME

ROOT = Path(__file__).parents[2] / "terraform"
FOLDERS = sorted({file.parent for file in ROOT.rglob("*.tf")})
PARSER = Parser(Language(tree_sitter_hcl.language()))
EXCLUSIVE = re.compile(r"aws_iam_policy_attachment|aws_\w+_exclusive")


def text(node: Node) -> str:
    return (node.text or b"").decode()


def blocks(folder: Path, kind: str) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Yield labels and attributes of a folder's blocks of one kind."""
    for file in sorted(folder.glob("*.tf")):
        root = PARSER.parse(file.read_bytes()).root_node
        assert not root.has_error, file
        for block in (b for body in root.children for b in body.children if b.type == "block"):
            labels = [text(c).strip('"') for c in block.children if c.type == "string_lit"]
            if text(block.children[0]) == kind:
                body = next((c for c in block.children if c.type == "body"), None)
                found = [c for c in (body.children if body else ()) if c.type == "attribute"]
                yield labels, {text(a.children[0]): text(a.children[2]) for a in found}


def name(folder: Path) -> str:
    return str(folder.relative_to(ROOT.parent))


@pytest.mark.parametrize("folder", FOLDERS, ids=name)
def test_every_variable_is_typed_and_described(folder: Path) -> None:
    for (variable,), given in blocks(folder, "variable"):
        assert {"type", "description"} <= set(given), variable
        assert not re.search(r"\bany\b", given["type"]), variable


# The outputs of bootstrap are for whoever sets GitHub's variables by them.
@pytest.mark.parametrize("folder", [f for f in FOLDERS if f.name != "bootstrap"], ids=name)
def test_every_output_has_a_reader(folder: Path) -> None:
    if folder == ROOT:
        files = [*ROOT.parent.glob("src/scones_*/**/*.py"), *(ROOT.parent / "tests").rglob("*.py")]
        read = " ".join(file.read_text() for file in [*files, ROOT / "README.md"])
        pattern = r"\b{}\b"
    else:
        read = " ".join(file.read_text() for file in [*ROOT.rglob("*.tf"), *ROOT.rglob("*.hcl")])
        pattern = rf"(output|run\.\w+|module\.{folder.name}(\[[^\]]*\])?|endpoint)\.{{}}\b"
    for (output,), _ in blocks(folder, "output"):
        assert re.search(pattern.format(output), read), f"nothing reads the output {output}"


@pytest.mark.parametrize("folder", FOLDERS, ids=name)
def test_nothing_runs_a_program_or_claims_what_others_attach(folder: Path) -> None:
    source = "".join(file.read_text() for file in folder.glob("*.tf"))
    assert not re.search(r"\bprovisioner\b|local-exec", source)
    kinds = [kind for (kind, _), _ in blocks(folder, "resource")]
    assert not [kind for kind in kinds if EXCLUSIVE.fullmatch(kind)]


@pytest.mark.parametrize("folder", FOLDERS, ids=name)
def test_every_module_says_which_terraform_and_provider_it_works_with(folder: Path) -> None:
    source = (folder / "versions.tf").read_text()
    assert 'required_version = ">= 1.11.0, < 2.0.0"' in source
    if any(kind.startswith("aws_") for (kind, _), _ in blocks(folder, "resource")):
        assert 'version = ">= 5.100.0, < 7.0.0"' in source


def test_python_and_every_module_know_the_same_instances_with_local_storage() -> None:
    sources = [file.read_text() for file in (ROOT / "modules").rglob("*.tf")]
    patterns = [found for text in sources for found in re.findall(r'\bnvme += "(.*)"', text)]
    assert set(patterns) == {"^" + NVME.pattern.replace("\\", "\\\\")}


@pytest.mark.parametrize("folder", FOLDERS, ids=name)
def test_what_moved_into_a_module_is_declared_there_and_no_more_where_it_was(folder: Path) -> None:
    resources = {".".join(labels) for labels, _ in blocks(folder, "resource")}
    called = {labels[0]: given["source"].strip('"') for labels, given in blocks(folder, "module")}
    for _, given in blocks(folder, "moved"):
        kind = re.compile(r"aws_\w+\.\w+")
        (before,), (after,) = kind.findall(given["from"]), kind.findall(given["to"])
        (module,) = re.findall(r"module\.(\w+)", given["to"])
        there = {".".join(labels) for labels, _ in blocks(folder / called[module], "resource")}
        assert before not in resources
        assert after in there


def test_a_new_class_has_its_assignment_before_the_endpoint_answers_it() -> None:
    modules = {labels[0]: given for labels, given in blocks(ROOT, "module")}
    assert "aws_s3_object.newest_assignments" in modules["endpoint"]["depends_on"]
    objects = {labels[1]: given for labels, given in blocks(ROOT, "resource")}
    newest = objects["newest_assignments"]
    assert "endpoint" not in " ".join(newest.values()), "it would wait for what waits for it"
    assert newest["key"] == '"assignments/newest.json"', "each release finds it where the last did"


def test_a_roll_out_is_recorded_before_the_endpoint_is_updated_and_again_after_it() -> None:
    modules = {labels[0]: given for labels, given in blocks(ROOT, "module")}
    objects = {labels[1]: given for labels, given in blocks(ROOT, "resource")}
    assert "aws_s3_object.chosen_release" in modules["endpoint"]["depends_on"]
    assert objects["active_release"]["depends_on"] == "[module.endpoint]"
    assert "versioned" in objects["chosen_release"]["bucket"], "versions are the history"
    keys = [objects[name]["key"].strip('"') for name in ("chosen_release", "active_release")]
    assert keys == [CHOSEN, ACTIVE]
