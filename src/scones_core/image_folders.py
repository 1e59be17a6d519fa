"""Which files of a folder of images belong to which class and split: one rule for all readers.

    folder/<class>/**/image            or   folder/<split>/<class>/**/image

Every file is either listed as an image's or passed over with the reason. Whether it holds an
image is for the decoder to say; its name's ending does not matter.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SPLIT_NAMES: Mapping[str, str] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
"""Folder names, in any case, that are taken for a split."""

HIDDEN = "its name or its folder's is hidden"
NO_CLASS = "it is not in a folder of a class"
NO_SPLIT = "it is in none of the folders train, validation and test"
NO_FILE = "it is not a regular file"
LINKED_FOLDER = "it is a link to a folder"


@dataclass(frozen=True, slots=True)
class ClassFile:
    """A file by its path below the folder, with slashes, and what its folders say of it."""

    name: str
    label: str
    split: str


@dataclass(frozen=True, slots=True)
class ClassFiles:
    """Files sorted by name; `passed_over` gives the reason for each other file or folder.

    `splits` are those that the folders separate; none without folders for splits.
    """

    files: tuple[ClassFile, ...]
    passed_over: Mapping[str, str]
    splits: frozenset[str]


def list_class_files(folder: Path, *, with_splits: bool = True) -> ClassFiles:
    """Return the files of each class's folder, at any depth; OSError passes through.

    With `with_splits`, folders named as SPLIT_NAMES at the top hold the class folders, where
    there is one for training: alone, or with one for another split.
    """
    top = [entry for entry in _entries(folder) if entry.is_dir() and not is_hidden(entry.name)]
    split_of = {e.name: SPLIT_NAMES[e.name.lower()] for e in top if e.name.lower() in SPLIT_NAMES}
    known = set(split_of.values())
    has_splits = with_splits and "train" in known and (len(known) > 1 or len(top) == 1)
    files: list[ClassFile] = []
    passed_over: dict[str, str] = {}
    for entry in _entries(folder):
        if is_hidden(entry.name):
            passed_over[entry.name] = HIDDEN
        elif has_splits and entry.name not in split_of:
            passed_over[entry.name] = NO_SPLIT
        elif has_splits:
            _add_classes(entry, f"{entry.name}/", split_of[entry.name], files, passed_over)
        else:
            _add_class(entry, "", "train", files, passed_over)
    found = frozenset(file.split for file in files) if has_splits else frozenset()
    ordered = tuple(sorted(files, key=lambda file: file.name))
    return ClassFiles(ordered, dict(sorted(passed_over.items())), found)


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is one that systems leave next to a person's own."""
    return name.startswith(".") or name == "__MACOSX"


def printable(text: str) -> str:
    r"""Return a name as it can be shown and stored: bytes that are not UTF-8, and control
    characters, become escapes such as `\xe9`.
    """  # noqa: D205 - the summary needs two lines
    known = os.fsencode(text).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in known)


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def _add_classes(
    folder: Path, prefix: str, split: str, files: list[ClassFile], passed_over: dict[str, str]
) -> None:
    for entry in _entries(folder):
        if is_hidden(entry.name):
            passed_over[f"{prefix}{entry.name}"] = HIDDEN
        else:
            _add_class(entry, prefix, split, files, passed_over)


def _add_class(
    folder: Path, prefix: str, split: str, files: list[ClassFile], passed_over: dict[str, str]
) -> None:
    if not folder.is_dir():
        passed_over[f"{prefix}{folder.name}"] = NO_CLASS
        return
    for path, reason in _below(folder):
        name = f"{prefix}{folder.name}/{path.relative_to(folder).as_posix()}"
        if reason:
            passed_over[name] = reason
        else:
            files.append(ClassFile(name, folder.name, split))


def _below(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file and each folder that is passed over, with the reason or an empty one."""
    for where, folders, names in os.walk(folder):
        here = Path(where)
        for name in list(folders):
            if is_hidden(name) or (here / name).is_symlink():
                folders.remove(name)
                yield here / name, HIDDEN if is_hidden(name) else LINKED_FOLDER
        for name in names:
            path = here / name
            yield path, HIDDEN if is_hidden(name) else "" if path.is_file() else NO_FILE
