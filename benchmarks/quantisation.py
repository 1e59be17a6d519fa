"""What int8 and ONNX Runtime's optimisation levels do to a model: its speed and its answers.

    python benchmarks/quantisation.py build/local/training --rounds 20

The folder is that of a training on this host, with its channels and its model. The graph is
quantised dynamically, and statically (QDQ, a scale for each channel, calibrated on training
images). Speed is the time of one image on one thread, the variants in turns: by the clock, and of
the processor, which a busy host disturbs less. Answers are those for the test images; the
differences are to the graph as it is.
"""

import argparse
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from scones_train.channels import ImageSet, load_channel
from scones_train.evaluation.metrics import summarise
from scones_train.model_folder import GRAPH, read_artifact
from scones_train.serving.predictor import INPUT, OUTPUT

CALIBRATED_ON = 40
Level = ort.GraphOptimizationLevel
LEVELS = {
    "basic": Level.ORT_ENABLE_BASIC,
    "extended": Level.ORT_ENABLE_EXTENDED,
    "all (as served)": Level.ORT_ENABLE_ALL,
}


class Reader(CalibrationDataReader):  # type: ignore[misc]
    """Gives images, one at a time, to what finds the scales."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self._images = iter(pixels)

    def get_next(self) -> dict[str, Any] | None:
        """Return the next image as the graph's input; None after the last one."""
        image = next(self._images, None)
        return None if image is None else {INPUT: image[None]}


def sessions(graph: Path, train: ImageSet, folder: Path) -> Iterator[tuple[str, Any]]:
    """Yield each variant's name and session."""
    for name, level in LEVELS.items():
        yield f"float32, {name}", session(graph, level)
    dynamic, static = folder / "dynamic.onnx", folder / "static.onnx"
    quantize_dynamic(graph, dynamic, weight_type=QuantType.QUInt8)
    yield "int8, dynamic", session(dynamic, Level.ORT_ENABLE_ALL)
    rows = np.random.default_rng(0).choice(len(train), CALIBRATED_ON, replace=False)
    quantize_static(
        graph,
        static,
        Reader(train.pixels[rows]),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        op_types_to_quantize=["Conv", "Add"],
    )
    yield "int8, static", session(static, Level.ORT_ENABLE_ALL)


def session(graph: Path, level: Any) -> Any:
    """Return a session on one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = level
    options.log_severity_level = 3
    return ort.InferenceSession(str(graph), options, ["CPUExecutionProvider"])


def speed(variants: dict[str, Any], image: NDArray[np.uint8], rounds: int) -> None:
    """Print each variant's median milliseconds for one image."""
    clock: dict[str, list[float]] = {name: [] for name in variants}
    processor: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, found in variants.items():
            found.run([OUTPUT], {INPUT: image})
            for _ in range(5):
                started, used = time.perf_counter(), time.process_time()
                found.run([OUTPUT], {INPUT: image})
                clock[name].append((time.perf_counter() - started) * 1000)
                processor[name].append((time.process_time() - used) * 1000)
    print("milliseconds for one image     clock   processor")
    for name in variants:
        medians = statistics.median(clock[name]), statistics.median(processor[name])
        print(f"{name:28} {medians[0]:7.2f}  {medians[1]:10.2f}")


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("training", type=Path, help="folder of a training on this host")
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    # Of tensors that are not quantised, such as the image's bytes.
    logging.disable(logging.WARNING)
    card, _ = read_artifact(given.training / "model")
    channels = given.training / "input" / "data"
    train, test = (load_channel(channels / name, card.labels) for name in ("train", "test"))
    with tempfile.TemporaryDirectory() as name:
        variants = dict(sessions(given.training / "model" / GRAPH, train, Path(name)))
        speed(variants, test.pixels[:1], given.rounds)
        plain = None
        print("answers             accuracy    nll  cal.err.  decisions changed  furthest")
        for variant in ("float32, all (as served)", "int8, dynamic", "int8, static"):
            run = variants[variant].run
            answers = np.concatenate([run([OUTPUT], {INPUT: i[None]})[0] for i in test.pixels])
            plain = answers if plain is None else plain
            figures = summarise(answers, test.labels, card.threshold)
            nll = -np.log(answers[np.arange(len(answers)), test.labels].clip(1e-9)).mean()
            accepted = [found.max(axis=1) >= card.threshold for found in (answers, plain)]
            print(
                f"{variant[:18]:18} {figures['accuracy']:9.3f} {nll:6.3f} "
                f"{figures['expected_calibration_error']:9.3f} "
                f"{(accepted[0] != accepted[1]).mean():18.3f} {np.abs(answers - plain).max():9.3f}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
