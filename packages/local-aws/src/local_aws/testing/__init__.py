"""What tests against the embedded AWS share: clients, waits, the driven clock, stand-in containers.

The programs below `PROGRAMS` stand for a customer's containers: train, serve and process.
"""

from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"
