"""What fine-tuning on photographs takes: memory, time, and the accuracy on easy ones.

    python benchmarks/photographs.py --images 1000 --max-steps 60

There is no set of photographs that may be downloaded, so it makes one: each class is a part of
one of the pictures that scikit-learn ships (and scikit-image, where it is installed), and each
photograph a random cut around that part, turned, in another light, out of focus, as JPEG of 224
pixels. Such classes are far easier than landmarks or vehicles: the accuracy shows that the recipe
works at this size, and nothing else. The memory is the peak of the training program with all its
threads. Ends with 1 where it is over 2 GB.
"""

import argparse
import io
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter
from sklearn.datasets import load_sample_images

from scones_core.errors import SconesError
from scones_toolkit.tasks.training.local import run_training
from scones_train.training.hyperparameters import Hyperparameters

SIDE, PARTS = 224, 3
# Of the images of a class: to validate and to test on.
HELD_OUT = {"validation": 0.1, "test": 0.1}
MAX_BYTES = 2_000_000_000
SKIMAGE = ("astronaut", "chelsea", "coffee", "rocket")


def pictures() -> Iterator[tuple[str, Image.Image]]:
    """Yield the names and pictures that the installed packages ship."""
    found = load_sample_images()
    for name, pixels in zip(found.filenames, found.images, strict=True):
        yield Path(name).stem, Image.fromarray(pixels)
    try:
        from skimage import data
    except ImportError:
        return
    for name in SKIMAGE:
        yield name, Image.fromarray(getattr(data, name)())


def parts() -> Iterator[tuple[str, Image.Image, tuple[float, float]]]:
    """Yield each class: its name, its picture, and the centre of its part, 0 to 1."""
    for name, picture in pictures():
        for number in range(PARTS):
            centre = (number + 0.5) / PARTS
            yield f"{name}-{number}", picture, (centre, 0.35 + 0.3 * (number % 2))


def photograph(
    picture: Image.Image, centre: tuple[float, float], random: np.random.Generator
) -> bytes:
    """Return one distorted cut around a part of a picture, as JPEG."""
    width, height = picture.size
    side = random.uniform(0.4, 0.7) * min(width, height)
    x = centre[0] * width + random.uniform(-0.15, 0.15) * side
    y = centre[1] * height + random.uniform(-0.15, 0.15) * side
    turned = picture.rotate(random.uniform(-20, 20), Image.Resampling.BICUBIC, center=(x, y))
    left = float(np.clip(x - side / 2, 0, width - side))
    top = float(np.clip(y - side / 2, 0, height - side))
    cut = turned.crop((int(left), int(top), int(left + side), int(top + side)))
    cut = cut.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        cut = change(cut).enhance(random.uniform(0.6, 1.4))
    cut = cut.filter(ImageFilter.GaussianBlur(random.uniform(0, 1.5)))
    noise: NDArray[np.float64] = random.normal(0, 6, (SIDE, SIDE, 3))
    noisy = (np.asarray(cut, dtype=np.float64) + noise).clip(0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(noisy).save(out, "JPEG", quality=85)
    return out.getvalue()


def write_photographs(base: Path, count: int) -> tuple[str, ...]:
    """Write channels with so many photographs together, and return the class names."""
    random, classes = np.random.default_rng(0), list(parts())
    each = max(10, count // len(classes))
    for name, picture, centre in classes:
        for number in range(each):
            share = number / each
            split = "test" if share < HELD_OUT["test"] else "train"
            if HELD_OUT["test"] <= share < sum(HELD_OUT.values()):
                split = "validation"
            folder = base / "input" / "data" / split / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number}.jpg").write_bytes(photograph(picture, centre, random))
    return tuple(name for name, _, _ in classes)


def main() -> int:
    """Run the benchmark; return 1 where the training took too much memory or failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--max-steps", type=int, default=60, help="of each network; 0: no bound")
    parser.add_argument("--folds", type=int, default=4)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        classes = write_photographs(base, given.images)
        settings = Hyperparameters(
            classes=classes, recipe="pretrained", max_steps=given.max_steps, folds=given.folds
        )
        started = time.perf_counter()
        try:
            card = run_training(base, settings.strings(), lambda _: None)
        except SconesError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        seconds = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = used.ru_maxrss * 1024
    print(f"{given.images} photographs of {SIDE} pixels, {len(classes)} classes")
    print(
        f"peak memory {peak / 1e9:.2f} GB, {seconds:.0f} s, of the processor "
        f"{used.ru_utime + used.ru_stime:.0f} s"
    )
    print(
        f"accuracy on {card.metrics['n_test']:.0f} test images {card.metrics['accuracy']:.3f}, "
        f"out of fold {card.metrics['calibration_accuracy']:.3f}"
    )
    if peak > MAX_BYTES:
        sys.stderr.write(f"The training took over {MAX_BYTES / 1e9:.0f} GB.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
