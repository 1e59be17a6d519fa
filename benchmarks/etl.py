"""How fast the ETL is, on an archive of CIFAR-100's full size, against what is usual.

    python benchmarks/etl.py [--rows 50000] [--json FILE]

The archive is generated once (the real rows among them when SCONES_CIFAR100 names an archive)
and kept in the build folder, pickled as Python 2 did it for the original. Each measurement runs
in a process of its own, so that its peak memory is its own; they take turns, round by round, so
that a disturbed host disturbs all, and the medians count. The notebooks' way to write PNGs
needs what requirements/benchmarks.lock adds. Exits 1 where extract and transform take longer
than the standard library takes to decompress and unpickle, where PNGs come less than four times
as fast as the notebooks', or where the ETL of all classes takes 1 GB.
"""

import argparse
import gzip
import io
import json
import multiprocessing
import os
import pickle
import platform
import resource
import statistics
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from scones_core.errors import UnknownLabel
from scones_core.labels import LabelSet
from scones_core.settings import DatasetSettings
from scones_etl import png
from scones_etl.duplicates import deduplicate, pixel_hashes
from scones_etl.extract.cifar import CifarArchive
from scones_etl.pipeline import stage
from scones_etl.report import report
from scones_etl.splits import assign_splits

ROOT = Path(__file__).parents[1]
NAMES = ["bicycle", "motorcycle", *(f"class{number:02d}" for number in range(98))]
VEHICLES = LabelSet.of(NAMES[:2])
EVERYTHING = LabelSet.of(NAMES)
PNG_IMAGES = 3000


def drawn(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return rows of planes that compress about as photographs do: soft shapes under noise."""
    coarse = rng.normal(128, 50, (count, 3, 8, 8)).astype(np.float32)
    soft = coarse.repeat(4, axis=2).repeat(4, axis=3)
    noise = rng.normal(0, 15, (count, 3, 32, 32)).astype(np.float32)
    rows: np.ndarray = np.clip(soft + noise, 0, 255).astype(np.uint8).reshape(count, 3072)
    return rows


def real_rows() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the real vehicles' planes and labels by split, none without SCONES_CIFAR100."""
    given = os.environ.get("SCONES_CIFAR100")
    if not given:
        return {}
    try:
        raw = CifarArchive.open(Path(given)).read(VEHICLES)
    except UnknownLabel:
        return {}
    planes = raw.images.transpose(0, 3, 1, 2).reshape(len(raw), 3072)
    splits = np.array(raw.splits)
    return {s: (planes[splits == s], raw.labels[splits == s]) for s in ("train", "test")}


def table(split: str, rows: int, seed: int) -> dict[str, object]:
    """Return one split: `rows` images, the classes in turn, real ones in place of drawn ones."""
    pixels = drawn(np.random.default_rng(seed), rows)
    labels = np.arange(rows) % len(NAMES)
    planes, owners = real_rows().get(split, (np.empty((0, 3072), np.uint8), np.empty(0, int)))
    for label in (0, 1):
        own = planes[owners == label]
        places = np.flatnonzero(labels == label)[: len(own)]
        pixels[places] = own[: len(places)]
    return {
        "filenames": [f"image_s_{row:06d}.png" for row in range(rows)],
        "fine_labels": labels.tolist(),
        "coarse_labels": (labels // 5).tolist(),
        "data": pixels,
    }


class Python2Pickler(pickle._Pickler):
    """Writes what Python 2 and numpy 1 wrote for the original: text is a string of bytes."""

    # Methods of the pickler in pure Python, which its type leaves out.
    write: Callable[[bytes], object]
    memoize: Callable[[object], None]
    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)

    def save_string(self, value: str | bytes) -> None:
        """Write one string, with one byte for its length where that is enough."""
        data = value.encode("latin1") if isinstance(value, str) else value
        short = len(data) < 256
        self.write((b"U" if short else b"T") + len(data).to_bytes(1 if short else 4, "little"))
        self.write(data)
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_string

    def save_global(self, obj: Any, name: str | None = None) -> None:
        """Write a name, numpy's module as it was called then."""
        if getattr(obj, "__name__", "") != "_reconstruct":
            vars(pickle._Pickler)["save_global"](self, obj, name)
            return
        self.write(b"cnumpy.core.multiarray\n_reconstruct\n")
        self.memoize(obj)


def pickled(content: dict[str, object]) -> bytes:
    """Return a table as the original's are pickled."""
    buffer = io.BytesIO()
    Python2Pickler(buffer, protocol=2).dump(content)
    return buffer.getvalue()


def generate(path: Path, rows: int) -> None:
    """Write the archive, a fifth as many test rows as train rows."""
    members: dict[str, dict[str, object]] = {
        "train": table("train", rows, 2),
        "test": table("test", rows // 5, 1),
        "meta": {"fine_label_names": NAMES},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with tarfile.open(part, "w:gz", compresslevel=6) as archive:
        for name, content in members.items():
            body = pickled(content)
            info = tarfile.TarInfo(f"cifar-100-python/{name}")
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    part.replace(path)


def standard_library(path: Path) -> int:
    """Decompress and unpickle, and nothing else; the archive is trusted to be harmless."""
    rows = 0
    with gzip.open(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None:
                table = pickle.load(content, encoding="bytes")  # noqa: S301
                rows += len(table.get(b"data", ()))
    return rows


def extract(path: Path) -> int:
    """Open, hash, check and read all classes."""
    return len(CifarArchive.open(path).read(EVERYTHING))


def vehicles(path: Path) -> int:
    """Run the whole ETL of two classes: PNGs, lists, manifest."""
    return len(stage(CifarArchive.open(path), VEHICLES, DatasetSettings()).manifest.rows)


def extract_transform(path: Path) -> int:
    """Extract, find doubles and assign splits for all classes; PNGs are measured apart."""
    raw = CifarArchive.open(path).read(EVERYTHING)
    hashes = pixel_hashes(raw.images)
    keep, _ = deduplicate(raw, hashes)
    return len(assign_splits(raw, hashes, keep, EVERYTHING, fraction=0.1, seed=0))


def everything(path: Path) -> int:
    """Run the whole ETL of all classes, and the report on it."""
    staged = stage(CifarArchive.open(path), EVERYTHING, DatasetSettings())
    return int(report(staged)["balance"]["images"])


def png_notebooks(images: np.ndarray) -> int:
    """Encode PNGs as the notebooks do: `matplotlib.imsave`, one row of a DataFrame at a time."""
    import matplotlib as mpl
    import pandas as pd

    mpl.use("agg")
    from matplotlib import image as mpl_image

    planes = images.transpose(0, 3, 1, 2).reshape(len(images), 3072)
    table = pd.DataFrame({"row": range(len(images)), "labels": 0})
    for _, row in table.iterrows():
        red, green, blue = planes[row["row"]].reshape(3, 32, 32)
        mpl_image.imsave(io.BytesIO(), np.dstack((red, green, blue)), format="png")
    return len(images)


def png_pillow(images: np.ndarray) -> int:
    """Encode PNGs one `save` after another, with Pillow's defaults."""
    for image in images:
        Image.fromarray(image).save(io.BytesIO(), format="PNG")
    return len(images)


def png_scones(images: np.ndarray) -> int:
    """Encode PNGs as the ETL does."""
    return sum(1 for _ in png.encode(images))


def pictures() -> np.ndarray:
    """Return images to encode, uint8 (N, 32, 32, 3)."""
    planes = drawn(np.random.default_rng(0), PNG_IMAGES).reshape(-1, 3, 32, 32)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))


MEASURED: dict[str, Callable[[Path], int]] = {
    work.__name__: work
    for work in (
        standard_library,
        extract,
        extract_transform,
        vehicles,
        everything,
    )
}
ENCODED: dict[str, Callable[[np.ndarray], int]] = {
    work.__name__: work for work in (png_notebooks, png_pillow, png_scones)
}


def measure(name: str, path: Path) -> dict[str, float]:
    """Return seconds, processor seconds, rows and peak megabytes of one measurement."""
    encode = ENCODED.get(name)
    work = partial(encode, pictures()) if encode else partial(MEASURED[name], path)
    started, busy = time.perf_counter(), time.process_time()
    rows = work()
    seconds, cpu = time.perf_counter() - started, time.process_time() - busy
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "seconds": round(seconds, 3),
        "cpu": round(cpu, 3),
        "rows": rows,
        "peak_mb": round(peak, 1),
    }


def apart(name: str, path: Path) -> dict[str, float]:
    """Return one measurement, made in a process of its own."""
    command = [sys.executable, __file__, "--only", name, "--archive", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def middle(runs: list[dict[str, float]], figure: str) -> float:
    """Return the median of one figure of some runs."""
    return statistics.median(run[figure] for run in runs)


def show(results: dict[str, list[dict[str, float]]]) -> None:
    """Print each measurement's median with its spread, and the two ratios that the aims name."""
    for name, runs in results.items():
        low, high = (choose(run["seconds"] for run in runs) for choose in (min, max))
        print(
            f"{name:18} {middle(runs, 'seconds'):6.2f} s ({low:.2f} - {high:.2f})"
            f" {middle(runs, 'cpu'):6.2f} s cpu {runs[0]['rows']:7.0f} rows"
            f" {max(run['peak_mb'] for run in runs):5.0f} MB, n={len(runs)}"
        )
    for ours, usual in (("extract_transform", "standard_library"), ("png_scones", "png_notebooks")):
        wall, cpu = (
            middle(results[ours], figure) / middle(results[usual], figure)
            for figure in ("seconds", "cpu")
        )
        print(f"{ours} takes {wall:.2f} of the time of {usual}, {cpu:.2f} of its processor time")


def missed(results: dict[str, list[dict[str, float]]]) -> list[str]:
    """Return the aims that were not reached."""
    faults = []
    if middle(results["extract_transform"], "seconds") >= middle(
        results["standard_library"], "seconds"
    ):
        faults.append("extract and transform take longer than decompressing and unpickling")
    if middle(results["png_notebooks"], "cpu") < 4 * middle(results["png_scones"], "cpu"):
        faults.append("PNGs are encoded less than four times as fast as the notebooks do")
    if max(run["peak_mb"] for run in results["everything"]) >= 1000:
        faults.append("the ETL of all classes takes 1 GB or more")
    return faults


def main() -> int:
    """Measure everything, print a table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000, help="train rows of the archive")
    parser.add_argument("--archive", type=Path, help="measure on this archive")
    parser.add_argument("--only", choices=[*MEASURED, *ENCODED], help="one measurement, as JSON")
    parser.add_argument("--repeat", type=int, default=5, help="rounds, of which the median counts")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    given = parser.parse_args()
    path = given.archive or ROOT / "build" / "benchmarks" / f"cifar-python2-{given.rows}.tar.gz"
    if given.only:
        print(json.dumps(measure(given.only, path)))
        return 0
    if not path.exists():
        print(f"generating {path}")
        # A process of its own: Linux counts a parent's memory to the peak of the processes that
        # it starts.
        apart_from_this = multiprocessing.get_context("spawn")
        maker = apart_from_this.Process(target=generate, args=(path, given.rows))
        maker.start()
        maker.join()
        if maker.exitcode:
            return 1
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}, {path.stat().st_size / 1e6:.0f} MB"
    )
    results: dict[str, list[dict[str, float]]] = {name: [] for name in (*MEASURED, *ENCODED)}
    for _ in range(given.repeat):
        for name, runs in results.items():
            runs.append(apart(name, path))
    show(results)
    faults = missed(results)
    print("\n".join(f"MISSED: {fault}" for fault in faults) or "all aims reached")
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
