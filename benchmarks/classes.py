"""Other classes and larger images by settings alone: what is reached, in what time and memory.

    python benchmarks/classes.py three five fifty

`three` and `five` are drawn vehicles of 32 pixels. `fifty` is a folder of JPEG files of many
sizes in fifty classes, taken at 224 pixels: ten shapes, each in five patterns, in any colour and
place. The images are drawn, so the accuracies say that the chain learns, and nothing of
photographs.
"""

import argparse
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw

from scones_core.errors import SconesError
from scones_core.labels import LabelSet
from scones_core.settings import DatasetSettings, TrainingSettings
from scones_etl.extract.resolve import resolve_source
from scones_etl.extract.source import Source
from scones_etl.extract.synthetic import Synthetic
from scones_etl.pipeline import stage
from scones_toolkit.tasks.training.local import run_training, write_channels
from scones_toolkit.tasks.training.requests import recipe

VEHICLES = ("bicycle", "motorcycle", "car", "truck", "bus")
PATTERNS = ("plain", "striped", "barred", "dotted", "hollow")
SIDES = tuple(range(3, 10))
EACH = 20


@dataclass(frozen=True, slots=True)
class Case:
    """What is trained: its dataset's settings and the training's."""

    dataset: DatasetSettings
    training: TrainingSettings


CASES: Mapping[str, Case] = {
    "three": Case(DatasetSettings(classes=VEHICLES[:3]), TrainingSettings(folds=0, max_steps=250)),
    "five": Case(DatasetSettings(classes=VEHICLES), TrainingSettings(folds=0, max_steps=250)),
    "fifty": Case(DatasetSettings(image_side=224), TrainingSettings(folds=0, max_steps=200)),
}


def draw(folder: Path, each: int) -> None:
    """Write fifty classes of images below a folder."""
    for shape in range(10):
        for pattern in PATTERNS:
            label = f"shape-{shape}-{pattern}"
            (folder / label).mkdir(parents=True)
            for number in range(each):
                chance = Random(f"{label} {number}")
                side = chance.randint(180, 300)
                _picture(chance, shape, pattern).resize((side, side)).save(
                    folder / label / f"{number:03d}.jpg", quality=85
                )


def _picture(chance: Random, shape: int, pattern: str) -> Image.Image:
    back, ink = ([chance.randint(*ends) for _ in range(3)] for ends in ((0, 110), (130, 255)))
    if chance.random() < 0.5:
        back, ink = ink, back
    image = Image.new("RGB", (256, 256), tuple(back))
    mask = Image.new("L", image.size, 0)
    x, y, radius = chance.randint(80, 176), chance.randint(80, 176), chance.randint(50, 80)
    pen = ImageDraw.Draw(mask)
    turn = chance.randint(-12, 12)
    if shape < len(SIDES):
        pen.regular_polygon((x, y, radius), SIDES[shape], rotation=turn, fill=255)
    elif shape == 7:
        pen.ellipse((x - radius, y - radius // 2, x + radius, y + radius // 2), fill=255)
    elif shape == 8:
        pen.rectangle((x - radius, y - 18, x + radius, y + 18), fill=255)
        pen.rectangle((x - 18, y - radius, x + 18, y + radius), fill=255)
    else:
        pen.pieslice(
            (x - radius, y - radius, x + radius, y + radius), 40 + turn, 320 + turn, fill=255
        )
    image.paste(_filled(chance, pattern, back, ink), mask=mask)
    return image


def _filled(chance: Random, pattern: str, back: list[int], ink: list[int]) -> Image.Image:
    surface = Image.new("RGB", (256, 256), tuple(ink))
    pen, step = ImageDraw.Draw(surface), chance.randint(18, 26)
    for at in range(0, 256, step):
        if pattern == "striped":
            pen.rectangle((at, 0, at + step // 2, 256), fill=tuple(back))
        elif pattern == "barred":
            pen.rectangle((0, at, 256, at + step // 2), fill=tuple(back))
        elif pattern == "dotted":
            for across in range(0, 256, step):
                pen.ellipse((at, across, at + 10, across + 10), fill=tuple(back))
    if pattern == "hollow":
        pen.rectangle((96, 96, 160, 160), fill=tuple(back))
    return surface


def run(name: str, folder: Path, each: int) -> str:
    """Return the line of a case's figures; raises a SconesError."""
    case = CASES[name]
    source: Source = Synthetic()
    classes = case.dataset.classes
    if name == "fifty":
        draw(folder / "images", each)
        source = resolve_source(str(folder / "images"), cache_dir=folder)
        classes = source.class_names()
    started = time.perf_counter()
    staged = stage(source, LabelSet.of(classes), case.dataset)
    write_channels(staged, folder / "training")
    loaded, before = time.perf_counter(), _used()
    parameters = recipe(staged.manifest, case.training)
    card = run_training(folder / "training", parameters.strings(), lambda _: None)
    seconds, used = time.perf_counter() - loaded, _used()
    found = card.metrics
    return (
        f"{name}: accuracy {found['accuracy']:.3f} of {found['n_test']} test images in "
        f"{len(classes)} classes at {card.image['width']} pixels, {found['n_train']} trained on in "
        f"{card.settings['epochs']} epochs: {seconds:.1f} s, {used[0] - before[0]:.1f} s of the "
        f"processor, at most {used[1] / 1e6:.2f} GB; ETL {loaded - started:.1f} s"
    )


def _used() -> tuple[float, int]:
    """Return seconds of the processor and the largest memory, kB, of trainings up to now."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime, used.ru_maxrss


def main() -> int:
    """Run the cases; return 1 for one that failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("cases", nargs="*", help=f"{', '.join(CASES)}; all without any")
    parser.add_argument("--each", type=int, default=EACH, help="images a class of the fifty")
    given = parser.parse_args()
    if unknown := set(given.cases) - set(CASES):
        parser.error(f"there is no case {sorted(unknown)[0]!r}; there are {', '.join(CASES)}")
    try:
        for name in given.cases or CASES:
            with tempfile.TemporaryDirectory() as folder:
                print(run(name, Path(folder), given.each), flush=True)
    except SconesError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"host: {platform.machine()}, {os.cpu_count()} cores, load {load}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
