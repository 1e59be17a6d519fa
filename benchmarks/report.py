"""How fast the report reads captured records, and in how much memory, at two sizes.

    python benchmarks/report.py
    python benchmarks/report.py --records 2000000

Synthetic records lie in a folder in SageMaker's layout: images of 32 x 32 pixels, two classes,
500 records a file. Each size is read by a process of its own: once from the JSON lines, which fills
the archive, and once more from the archive. Times are of the processor, on one core; in brackets
those of the clock, which depend on what else the host does. Peak memory is the process's largest
resident set less that before reading. The smaller size is a quarter of the larger.
"""

import argparse
import base64
import io
import itertools
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PIL import Image

from scones_monitor.capture_files import FolderCaptures
from scones_monitor.period_summary import Query, summarise
from scones_monitor.record_archive import Archive
from scones_monitor.report import Provenance, ReportData, write_report

LABELS = ("bicycle", "motorcycle")
ENDPOINT = "benchmark"
PER_FILE = 500
DAYS = 10


def generate(folder: Path, records: int, seed: int = 0) -> None:
    """Write synthetic captured records over ten days, a hundredth of them twice."""
    rng = random.Random(seed)
    pictures = [_picture(rng) for _ in range(50)]
    first = datetime(2026, 11, 1, tzinfo=UTC)
    files = -(-records // PER_FILE)
    for number in range(files):
        begin = first + timedelta(days=DAYS) * number / files
        lines = []
        for i in range(min(PER_FILE, records - number * PER_FILE)):
            at = begin + timedelta(seconds=i * 60 / PER_FILE)
            lines.append(_line(rng, pictures, at))
            if rng.random() < 0.01:
                lines.append(lines[-1])
        path = folder / ENDPOINT / "AllTraffic" / f"{begin:%Y/%m/%d/%H}"
        path.mkdir(parents=True, exist_ok=True)
        name = f"{begin:%M-%S}-{begin.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
        (path / name).write_text("\n".join(lines) + "\n")


def _picture(rng: random.Random) -> str:
    out = io.BytesIO()
    Image.frombytes("RGB", (32, 32), rng.randbytes(32 * 32 * 3)).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def _line(rng: random.Random, pictures: list[str], at: datetime) -> str:
    sure = 1 - 0.5 * rng.random() ** 4
    answer = [sure, 1 - sure] if rng.random() < 0.6 else [1 - sure, sure]
    event = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    side = {"observedContentType": "image/png", "mode": "INPUT", "encoding": "BASE64"}
    out = {"observedContentType": "application/json", "mode": "OUTPUT", "encoding": "JSON"}
    return json.dumps(
        {
            "captureData": {
                "endpointInput": {**side, "data": rng.choice(pictures)},
                "endpointOutput": {**out, "data": json.dumps(answer)},
            },
            "eventMetadata": {
                "eventId": event,
                "inferenceTime": f"{at:%Y-%m-%dT%H:%M:%SZ}",
                "inferenceId": event[:18],
            },
            "eventVersion": "0",
        },
        separators=(",", ":"),
    )


def measure(folder: Path, archive_folder: Path) -> dict[str, float]:
    """Read the folder twice and write the page; return seconds, records and megabytes."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    source, archive = FolderCaptures(folder), Archive(archive_folder, ENDPOINT)
    query = Query(labels=LABELS, threshold=0.95)
    clocks = [(time.perf_counter(), time.process_time())]

    def lap() -> None:
        clocks.append((time.perf_counter(), time.process_time()))

    files = source.list().files
    archive.update(source, files)
    lap()
    found = summarise(archive, files, query)
    lap()
    span = found.span
    assert span is not None
    data = ReportData(
        summary=found,
        provenance=Provenance(environment="local", endpoint=ENDPOINT, source=str(folder)),
        generated=datetime.now(UTC),
        since=span[0],
        until=span[1] + timedelta(seconds=1),
    )
    write_report(folder / "report.html", data)
    lap()
    spent = [
        (after[0] - earlier[0], after[1] - earlier[1])
        for earlier, after in itertools.pairwise(clocks)
    ]
    (archive_s, archive_cpu), (read_s, read_cpu), (page_s, page_cpu) = spent
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "records": len(found),
        "duplicates": sum(each.count for each in found.excluded),
        "archive_s": archive_s,
        "archive_cpu": archive_cpu,
        "read_s": read_s,
        "read_cpu": read_cpu,
        "page_s": page_s,
        "page_cpu": page_cpu,
        "page_kb": (folder / "report.html").stat().st_size / 1000,
        "peak_mb": (peak - before) / 1024,
    }


def main() -> None:
    """Measure both sizes, each in a process of its own, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measure(asked.measure / "captures", asked.measure / "archive")))
        return
    columns = "records, duplicates, archive, records/s, read again, records/s, page, peak memory"
    print("| " + " | ".join(columns.split(", ")) + " |")
    print("|---|---|---|---|---|---|---|---|")
    for records in (asked.records // 4, asked.records):
        with tempfile.TemporaryDirectory() as name:
            generate(Path(name) / "captures", records)
            command = [sys.executable, __file__, "--measure", name]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        m = json.loads(done.stdout)
        print(
            f"| {m['records']:,} | {m['duplicates']:,} "
            f"| {m['archive_cpu']:.1f} s ({m['archive_s']:.0f}) "
            f"| {m['records'] / m['archive_cpu']:,.0f} "
            f"| {m['read_cpu']:.1f} s ({m['read_s']:.0f}) "
            f"| {m['records'] / m['read_cpu']:,.0f} "
            f"| {m['page_cpu']:.1f} s ({m['page_s']:.0f}), {m['page_kb']:.0f} kB "
            f"| {m['peak_mb']:.0f} MB |",
            flush=True,
        )


if __name__ == "__main__":
    main()
