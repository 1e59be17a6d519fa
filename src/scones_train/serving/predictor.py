"""A model folder that answers, by ONNX Runtime alone."""

import contextlib
import functools
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx.external_data_helper import uses_external_data

from scones_core.errors import MalformedArtifact
from scones_core.model_card import ModelCard
from scones_train.model_folder import GRAPH, read_artifact

INPUT, OUTPUT = "images", "probabilities"
# A graph of 400 bytes can ask for any size of its values.
MAX_MEMORY_BYTES = 2 << 30
MAX_SECONDS = 60.0
"""For one image: what SageMaker waits for a container's answer, see InvokeEndpoint.

A run is ended before its next node. One node may take hours, which ONNX Runtime cannot end: after
twice the time the process ends. A container starts another worker then.
"""
_LOOK_SECONDS = 0.2
# To load a graph takes time that grows with the square of its nodes; networks here have 300.
MAX_NODES = 5_000
PLAIN_ATTRIBUTES = (
    onnx.AttributeProto.INT,
    onnx.AttributeProto.INTS,
    onnx.AttributeProto.FLOAT,
    onnx.AttributeProto.FLOATS,
    onnx.AttributeProto.STRING,
    # A constant; whether it reaches outside is checked with the initialisers.
    onnx.AttributeProto.TENSOR,
)


class Predictor:
    """Probabilities of decoded images. One instance may be used by several threads."""

    def __init__(
        self, card: ModelCard, graph: bytes, cores: int = 1, *, max_seconds: float = MAX_SECONDS
    ) -> None:
        """Raise MalformedArtifact for a graph that is unsafe, broken or not of this card."""
        _refuse_unsafe(graph)
        self._max_seconds = max_seconds
        self._session = _session(graph, 1)
        self._on_all_cores = _session(graph, cores) if cores > 1 else self._session
        self.card = card
        self._check_shapes()

    @classmethod
    def load(cls, model_dir: Path, cores: int = 1) -> Self:
        """Return the predictor of a model folder; raises MalformedArtifact."""
        card, graph = read_artifact(model_dir)
        return cls(card, graph, cores)

    def probabilities(
        self, images: NDArray[np.uint8], *, all_cores: bool = False
    ) -> NDArray[np.float32]:
        """Return float32 (N, classes) in label order for uint8 images (N, H, W, 3), N above 0.

        Each image is a run of its own, as it is when it is served: a batch would add up in
        another order and differ in the last digits, and on one thread it is no faster. On all
        cores the same sums are shared out, and one image is answered sooner; several at once
        are answered sooner each on one core. Raises MalformedArtifact for a graph that fails,
        needs over MAX_MEMORY_BYTES or over `max_seconds` for an image, or answers something else;
        one node that takes over twice that time ends the process.
        """
        session = self._on_all_cores if all_cores else self._session
        parts = [self._run(session, images[row : row + 1]) for row in range(len(images))]
        found = cast(NDArray[np.float32], np.concatenate(parts))
        if found.shape != (len(images), len(self.card.labels)) or not np.isfinite(found).all():
            raise MalformedArtifact(
                f"{GRAPH} does not answer a finite number for each of its labels; "
                "train the model again."
            )
        return found

    def _run(self, session: ort.InferenceSession, image: NDArray[np.uint8]) -> Any:
        with _RUNS.ended_after(self._max_seconds) as options:
            try:
                return session.run([OUTPUT], {INPUT: image}, options)[0]
            except Exception as error:  # ONNX Runtime's errors have no public base of their own.
                is_late = f"takes over {self._max_seconds:g} s for an image"
                why = is_late if options.terminate else f"gives no answer: {error}"
                raise MalformedArtifact(f"{GRAPH} {why}.") from error

    def _check_shapes(self) -> None:
        inputs = [(i.name, i.type, list(i.shape[1:])) for i in self._session.get_inputs()]
        outputs = [(o.name, list(o.shape[1:])) for o in self._session.get_outputs()]
        if inputs != [(INPUT, "tensor(uint8)", [*self.card.size, 3])] or outputs != [
            (OUTPUT, [len(self.card.labels)])
        ]:
            raise MalformedArtifact(
                f"{GRAPH} takes {inputs} and answers {outputs}, which is not what its card says; "
                "train the model again."
            )


class _Runs:
    """The runs of this process. One thread ends those whose time is over, before their next node.

    It ends the process where a run does not come to a next node for as long again. A timer for each
    run would be a thread for each image.
    """

    def __init__(self) -> None:
        self._ends: dict[int, tuple[float, float, ort.RunOptions]] = {}
        self._lock = threading.Lock()
        self._watched = False

    @contextlib.contextmanager
    def ended_after(self, seconds: float) -> Iterator[ort.RunOptions]:
        """Yield the options of a run that is ended after so many seconds."""
        options = ort.RunOptions()
        with self._lock:
            self._ends[id(options)] = (time.monotonic(), seconds, options)
            if not self._watched:
                self._watched = True
                threading.Thread(target=self._watch, name="graph-runs", daemon=True).start()
        try:
            yield options
        finally:
            del self._ends[id(options)]

    def _watch(self) -> None:
        while True:
            time.sleep(_LOOK_SECONDS)
            now = time.monotonic()
            for began, seconds, options in list(self._ends.values()):
                if now >= began + seconds:
                    options.terminate = True
                if now >= began + 2 * seconds:
                    sys.stderr.write(
                        f"{GRAPH} takes over {2 * seconds:g} s for one node of an image, which "
                        "only the end of this process ends; use another model.\n"
                    )
                    sys.stderr.flush()
                    os._exit(1)


_RUNS = _Runs()


@functools.cache
def _bound_memory() -> None:
    """Bound what all sessions of this process take together, for values and weights."""
    place = ort.OrtMemoryInfo(
        "Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT
    )
    ort.create_and_register_allocator(place, ort.OrtArenaCfg({"max_mem": MAX_MEMORY_BYTES}))


def _session(graph: bytes, threads: int) -> ort.InferenceSession:
    _bound_memory()
    options = ort.SessionOptions()
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin between requests would take a shared host's other programs' time.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Errors are raised; a log would show the graph's own names to the terminal as they are.
    options.log_severity_level = 4
    try:
        return ort.InferenceSession(
            graph,
            options,
            ["CPUExecutionProvider"],
            # It runs nodes while the graph is loaded, which nothing can end. An exported graph
            # has nothing left to fold.
            disabled_optimizers=["ConstantFolding"],
        )
    except Exception as error:  # ONNX Runtime's errors have no public base of their own.
        raise MalformedArtifact(f"{GRAPH} cannot be loaded: {error}") from error


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Yield the constants of a graph."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                yield attribute.t


def _refuse_unsafe(content: bytes) -> None:
    """Refuse graphs that reach outside themselves: other files, other operators, subgraphs."""
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's DecodeError is not exported by onnx.
        raise MalformedArtifact(f"{GRAPH} is no ONNX model.") from error
    nodes = model.graph.node
    if len(nodes) > MAX_NODES:
        raise MalformedArtifact(
            f"{GRAPH} has {len(nodes):,} nodes; at most {MAX_NODES:,} are loaded."
        )
    unsafe = (
        len(model.functions) > 0
        or len(model.graph.sparse_initializer) > 0
        or any(node.domain not in ("", "ai.onnx") for node in nodes)
        or any(a.type not in PLAIN_ATTRIBUTES for node in nodes for a in node.attribute)
        or any(uses_external_data(tensor) for tensor in _tensors(model.graph))
    )
    if unsafe:
        raise MalformedArtifact(
            f"{GRAPH} reaches outside itself (external data, functions or subgraphs); "
            "only graphs that this project exports are loaded."
        )
