"""What the documents name exists: links, headings, and the tests that hold a case."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    *ROOT.glob("*.md"),
    *(ROOT / "container").glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "terraform").rglob("*.md"),
    *(ROOT / "packages" / "local-aws").glob("*.md"),
    *(ROOT / "packages" / "local-aws" / "docs").rglob("*.md"),
]
PUBLIC_CASES = ROOT / "docs" / "results" / "public-cases.md"


def headings(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    text = document.read_text(encoding="utf-8")
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }


def broken_links(document: Path) -> list[str]:
    """Return the links of a document that lead to no file, or to no heading of it."""
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if "://" in link:
            continue
        if not target.exists() or (anchor and anchor not in headings(target)):
            broken.append(link)
    return broken


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    assert broken_links(document) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text("# One thing\n[a](#one-thing) [b](#another) [c](gone.md) [d](page.md)\n")
    assert broken_links(document) == ["#another", "gone.md"]


def test_each_test_that_holds_a_case_exists() -> None:
    files = [
        *(ROOT / "tests").rglob("test_*.py"),
        *(ROOT / "packages" / "local-aws" / "tests").rglob("test_*.py"),
    ]
    existing = {file.name for file in files}
    for file in files:
        body = ast.parse(file.read_text(encoding="utf-8")).body
        existing |= {made.name for made in body if isinstance(made, ast.FunctionDef)}
    named = set(re.findall(r"`(test_\w+(?:\.py)?)`", PUBLIC_CASES.read_text(encoding="utf-8")))
    named.remove("test_set")  # a folder of a data set
    assert len(named) > 100
    assert named - existing == set()
