"""A graph whose single node takes hours: only the end of its process ends it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[4]
PROGRAM = """
import numpy as np
from scones_core.model_card import ModelCard
from scones_train.serving.predictor import Predictor
from tests.unit.scones_train.serving.test_predictor import IMAGE, multiplying

card = ModelCard(
    labels=("bicycle", "motorcycle"),
    image={"height": 16, "width": 16, "channels": 3},
    normalisation={"mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]},
    temperature=1.0,
    threshold=0.9,
    target_precision=0.9,
    metrics={"accuracy": 0.9, "n_test": 2},
    confusion_matrix=((1, 0), (0, 1)),
    settings={},
    dataset_version="v1",
    manifest_sha256="ab" * 32,
)
graph = multiplying(1, 6_000, constant=False)
Predictor(card, graph, max_seconds=0.1).probabilities(IMAGE)
"""


def test_a_process_ends_whose_graph_stays_in_one_node() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr == (
        "model.onnx takes over 0.2 s for one node of an image, which only the end of this process "
        "ends; use another model.\n"
    )
