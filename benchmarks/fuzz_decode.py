"""Hostile images against the decoder that serving uses, for some minutes.

    python benchmarks/fuzz_decode.py --minutes 3

Valid images are cut, spliced, and changed in bits, lengths and sizes, some with corrected checksums
so that the change gets past them. Each must decode or be refused as `ImageError`, within a
second and within the memory that a serving container has. What breaks that is kept below
build/fuzz, and the program ends with 1. A worker process decodes, so that a crash is seen.
"""

import argparse
import hashlib
import io
import multiprocessing
import random
import resource
import struct
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from PIL import Image

from scones_images import ImageError, decode

KEPT = Path(__file__).resolve().parents[1] / "build" / "fuzz"
MAX_SECONDS, MEMORY_BYTES = 1.0, 2 << 30
SIZE = (32, 32)
BOUNDARIES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def seeds() -> list[bytes]:
    """Return small valid images of every kind that the decoder takes."""
    noise = Image.effect_noise((24, 20), 80)
    found = []
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        found.append(_encoded(noise.convert("RGB").convert(mode), "PNG"))
    found.append(_encoded(Image.new("I;16", (24, 20), 40_000), "PNG"))
    found.append(_encoded(noise.convert("RGB"), "PNG", exif=_exif(6), dpi=(72, 72)))
    for mode in ("L", "RGB", "CMYK"):
        found.append(_encoded(noise.convert(mode), "JPEG", exif=_exif(8)))
    found.append(_encoded(noise.convert("RGB"), "JPEG", progressive=True, subsampling=2))
    return found


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def mutated(body: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """Return a changed copy of an image."""
    changed = bytearray(body)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        place = chance.randrange(max(1, len(changed)))
        kind = chance.randrange(7)
        if kind == 0:
            changed[place : place + 1] = bytes([chance.randrange(256)])
        elif kind == 1 and len(changed) > place:
            changed[place] ^= 1 << chance.randrange(8)
        elif kind == 2:
            del changed[place:]
        elif kind == 3:
            changed[place : place + 4] = struct.pack(">I", chance.choice(BOUNDARIES))
        elif kind == 4:
            other = chance.choice(others)
            cut = chance.randrange(len(other))
            changed[place:place] = other[cut : cut + chance.randrange(200)]
        elif kind == 5:
            del changed[place : place + chance.randrange(40)]
        else:
            changed[place:place] = changed[place : place + chance.randrange(200)]
    return with_valid_checksums(bytes(changed)) if chance.random() < 0.5 else bytes(changed)


def with_valid_checksums(body: bytes) -> bytes:
    """Return a PNG with the checksum of every chunk made right; others as they are."""
    out, place = bytearray(body[:8]), 8
    while place + 12 <= len(body):
        (length,) = struct.unpack(">I", body[place : place + 4])
        content = body[place + 4 : place + 8 + length]
        if place + 12 + length > len(body):
            break
        out += body[place : place + 4] + content + struct.pack(">I", zlib.crc32(content))
        place += 12 + length
    return bytes(out + body[place:])


def worker(pipe: Connection) -> None:
    """Decode what comes through the pipe, and answer how each ended."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    while True:
        body = pipe.recv_bytes()
        started = time.process_time()
        try:
            decode(body, SIZE)
            ended = "decoded"
        except ImageError as error:
            ended = f"refused: {str(error)[:60]}"
        # Whatever else comes out of it is what this program looks for.
        except BaseException as error:
            ended = f"FAULT: {type(error).__name__}: {error}"[:200]
        pipe.send((ended, time.process_time() - started))


@dataclass
class Campaign:
    """What was tried and what came of it."""

    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest: float = 0.0

    def take(self, body: bytes, ended: str, seconds: float) -> None:
        """Count one image; keep it where it broke a rule."""
        self.outcomes[ended.partition(":")[0]] += 1
        self.slowest = max(self.slowest, seconds)
        if ended.startswith("FAULT") or seconds > MAX_SECONDS:
            KEPT.mkdir(parents=True, exist_ok=True)
            name = f"{hashlib.sha256(body).hexdigest()[:16]}.bin"
            (KEPT / name).write_bytes(body)
            self.faults.append(f"{name}: {ended} after {seconds:.2f} s")


def cases(seed: int) -> Iterator[bytes]:
    """Yield changed images without end, the same for the same seed."""
    chance, valid = random.Random(seed), seeds()
    while True:
        yield mutated(chance.choice(valid), valid, chance)


def run(seconds: float, seed: int) -> Campaign:
    """Decode changed images for some seconds."""
    campaign, deadline = Campaign(), time.monotonic() + seconds
    source = cases(seed)
    while time.monotonic() < deadline:
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.Process(target=worker, args=(theirs,), daemon=True)
        process.start()
        theirs.close()
        _feed(ours, source, deadline, campaign)
        process.terminate()
        process.join()
    return campaign


def _feed(pipe: Connection, source: Iterator[bytes], deadline: float, campaign: Campaign) -> None:
    """Send images to a worker until time is up or it has died."""
    while time.monotonic() < deadline:
        body = next(source)
        try:
            pipe.send_bytes(body)
            campaign.take(body, *(pipe.recv() if pipe.poll(30) else ("FAULT: hangs", 30.0)))
        except (EOFError, OSError):
            campaign.take(body, "FAULT: the process died", 0.0)
            return


def main() -> int:
    """Run the campaign; return 1 where an image did what none may."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    campaign = run(given.minutes * 60, given.seed)
    total = campaign.outcomes.total()
    shown = ", ".join(f"{count} {name}" for name, count in campaign.outcomes.most_common())
    print(f"seed {given.seed}: {total} images: {shown}; slowest {campaign.slowest * 1000:.0f} ms")
    sys.stderr.writelines(f"{fault}\n" for fault in campaign.faults)
    return 1 if campaign.faults else 0


if __name__ == "__main__":
    sys.exit(main())
