"""Folders of images: the class and split of each file, one rule for all readers.

    folder/<class>/**/image            or   folder/<split>/<class>/**/image

Either may lie in one folder more, as an archive leaves it that was unpacked. Every file is either
listed as an image's or passed over with the reason. Whether it holds an image is for the decoder
to say; its name's ending does not matter.
"""

import os
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scones_core.errors import DatasetError

SPLIT_NAMES: Mapping[str, str] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}
"""Folder names, in any case, that are taken for a split; next to a folder for training, so are
names with one of these words, such as `test_set` or `val2017`."""

PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
"""Endings of pictures' names, where a name alone has to decide."""

_SYSTEM_NAMES = frozenset(
    {"__macosx", "@eadir", "#recycle", "#snapshot", "$recycle.bin", "lost+found"}
    | {"system volume information"}
)
"""Folders that systems and network storage leave next to a person's own, in lower case."""

HIDDEN = "it is hidden, or a folder of the system's own"
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
    """Return the files of each class's folder, at any depth.

    With `with_splits`, folders named as SPLIT_NAMES at the top hold the class folders, where
    there is one for training: alone, or with one for another split; and the class folders may
    lie in one folder more. Labels are in Unicode's composed form (NFC), however the file system
    writes them. Raises DatasetError for folders of other splits without one for training.
    OSError passes through.
    """
    files: list[ClassFile] = []
    passed_over: dict[str, str] = {}
    prefix = ""
    while with_splits and (wrapper := _wrapper(folder)):
        _pass_over_others(folder, wrapper, prefix, passed_over)
        folder, prefix = wrapper, f"{prefix}{wrapper.name}/"
    split_of = _split_folders(folder) if with_splits else {}
    for entry in _entries(folder):
        if is_hidden(entry.name):
            passed_over[f"{prefix}{entry.name}"] = HIDDEN
        elif split_of and entry.name not in split_of:
            passed_over[f"{prefix}{entry.name}"] = NO_SPLIT
        elif split_of:
            _add_split(entry, f"{prefix}{entry.name}/", split_of[entry.name], files, passed_over)
        else:
            _add_class(entry, prefix, "train", files, passed_over)
    found = frozenset(file.split for file in files) if split_of else frozenset()
    ordered = tuple(sorted(files, key=lambda file: file.name))
    return ClassFiles(ordered, dict(sorted(passed_over.items())), found)


def normal_form(name: str) -> str:
    """Return a name in Unicode's composed form: macOS writes `é` as two characters, others as one.

    Bytes that are not UTF-8 stay as they are.
    """
    return unicodedata.normalize("NFC", name)


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is one that systems leave next to a person's own."""
    return name.startswith(".") or name.lower() in _SYSTEM_NAMES


def printable(text: str) -> str:
    r"""Return a name as it can be shown and stored: bytes that are not UTF-8, and control
    characters, become escapes such as `\xe9`.
    """  # noqa: D205 - the summary needs two lines
    known = os.fsencode(text).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in known)


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def _visible(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the folders and the other entries of a folder that are not hidden."""
    entries = [entry for entry in _entries(folder) if not is_hidden(entry.name)]
    folders = [entry for entry in entries if entry.is_dir()]
    return folders, [entry for entry in entries if not entry.is_dir()]


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURE_SUFFIXES


def _wrapper(folder: Path) -> Path | None:
    """Return the one folder in which everything else lies, None where there is none.

    It holds two folders or more, or such a folder in turn, and no picture of its own; a class's
    folder holds pictures, and one class alone is nothing to tell apart.
    """
    folders, others = _visible(folder)
    if len(folders) != 1 or any(map(_is_picture, others)) or _split_of(folders[0].name, exact=True):
        return None
    inner, own = _visible(folders[0])
    if any(map(_is_picture, own)):
        return None
    return folders[0] if len(inner) > 1 or _wrapper(folders[0]) or _is_split(inner) else None


def _is_split(folders: Sequence[Path]) -> bool:
    return len(folders) == 1 and _split_of(folders[0].name, exact=True) is not None


def _pass_over_others(
    folder: Path, wrapper: Path, prefix: str, passed_over: dict[str, str]
) -> None:
    for entry in _entries(folder):
        if entry != wrapper:
            reason = HIDDEN if is_hidden(entry.name) else NO_CLASS
            passed_over[f"{prefix}{entry.name}"] = reason


def _split_of(name: str, *, exact: bool) -> str | None:
    """Return the split that a folder's name names, or, unless `exact`, that one word of it does."""
    if name.lower() in SPLIT_NAMES:
        return SPLIT_NAMES[name.lower()]
    name_parts = re.split(r"[^a-z]+", name.lower())
    named = {SPLIT_NAMES[word] for word in name_parts if word in SPLIT_NAMES}
    return named.pop() if len(named) == 1 and not exact else None


def _split_folders(folder: Path) -> dict[str, str]:
    """Return the split of each folder at the top that is one; none where they are classes."""
    top = _visible(folder)[0]
    exact = {e.name: split for e in top if (split := _split_of(e.name, exact=True))}
    if "train" in exact.values() and (len(set(exact.values())) > 1 or len(top) == 1):
        return exact
    classes = {entry.name: _class_names(entry) for entry in top}
    split_of = {e.name: split for e in top if (split := _split_of(e.name, exact=False))}
    training = [name for name, split in split_of.items() if split == "train"]
    if not training:
        _require_training(folder, exact, top, classes)
        return {}
    # One name that could be a class's: what the folders hold decides.
    if not all(classes[name] for name in training):
        return {}
    others = [entry for entry in top if entry.name not in split_of]
    known = set().union(*(classes[name] for name in training))
    apart = all(classes[e.name] & known or not _holds_pictures(e) for e in others)
    return split_of if apart else {}


def _class_names(folder: Path) -> frozenset[str]:
    """Return the names of two class folders or more; none where a folder holds pictures itself."""
    while wrapper := _wrapper(folder):
        folder = wrapper
    folders, others = _visible(folder)
    if len(folders) < 2 or any(map(_is_picture, others)):
        return frozenset()
    return frozenset(entry.name for entry in folders)


def _require_training(
    folder: Path,
    split_of: Mapping[str, str],
    top: Sequence[Path],
    classes: Mapping[str, frozenset[str]],
) -> None:
    """Raise DatasetError where all folders are splits of the same classes, none for training."""
    alike = len(split_of) == len(top) > 1 and len(set(classes.values())) == 1
    if alike and classes[top[0].name]:
        raise DatasetError(
            f"{printable(str(folder))} has folders for {' and '.join(sorted(split_of))}, and "
            "none for training; name the folder with the images to train on `train`."
        )


def _holds_pictures(folder: Path) -> bool:
    return any(not reason and _is_picture(path) for path, reason in _below(folder))


def _add_split(
    folder: Path, prefix: str, split: str, files: list[ClassFile], passed_over: dict[str, str]
) -> None:
    if not folder.is_dir():
        passed_over[prefix.rstrip("/")] = NO_CLASS
        return
    while wrapper := _wrapper(folder):
        _pass_over_others(folder, wrapper, prefix, passed_over)
        folder, prefix = wrapper, f"{prefix}{wrapper.name}/"
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
    label = normal_form(folder.name)
    for path, reason in _below(folder):
        name = f"{prefix}{folder.name}/{path.relative_to(folder).as_posix()}".removesuffix("/.")
        if reason:
            passed_over[name] = reason
        else:
            files.append(ClassFile(name, label, split))


def _below(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file and each folder that is passed over, with the reason or an empty one."""
    failed: list[OSError] = []
    for where, folders, names in os.walk(folder, onerror=failed.append):
        here = Path(where)
        for name in list(folders):
            if reason := HIDDEN if is_hidden(name) else _why_not_entered(here / name):
                folders.remove(name)
                yield here / name, reason
        for name in names:
            path = here / name
            yield path, HIDDEN if is_hidden(name) else _why_no_file(path)
    for error in failed:
        yield Path(error.filename), f"it cannot be read: {error.strerror}"


def _why_no_file(path: Path) -> str:
    try:
        return "" if path.is_file() else NO_FILE
    except OSError as error:
        # Such as a path of more bytes than the system accepts.
        return f"it cannot be read: {error.strerror}"


def _why_not_entered(path: Path) -> str:
    try:
        return LINKED_FOLDER if path.is_symlink() else ""
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
