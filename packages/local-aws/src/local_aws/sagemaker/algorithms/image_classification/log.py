"""The lines that the algorithm writes: `[11/21/2026 14:05:12 INFO 140562] ...`."""

import datetime
import os


def say(message: str, level: str = "INFO") -> None:
    """Write one line to standard output, at once."""
    now = datetime.datetime.now(datetime.UTC)
    print(f"[{now:%m/%d/%Y %H:%M:%S} {level} {os.getpid()}] {message}", flush=True)
