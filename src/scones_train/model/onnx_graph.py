"""An ONNX graph as it is put together: nodes and constants in the order of computation."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from scones_train.serving.predictor import INPUT, OUTPUT

# Gelu is an operator of its own since opset 20, which came with IR version 9.
OPSET, IR_VERSION = 20, 9


class Graph:
    """Nodes and constants of one graph."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node and return the name of its output."""
        output = output or f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def constant(self, values: NDArray[np.generic] | Tensor) -> str:
        """Append a constant and return its name."""
        array = values.detach().cpu().numpy() if isinstance(values, Tensor) else values
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def number(self, value: float) -> str:
        """Append a float32 constant without axes and return its name."""
        return self.constant(np.array(value, dtype=np.float32))

    def between(self, left: Tensor, x: str, right: Tensor) -> str:
        """Append the product of two constant matrices with `x` between them."""
        product = self.add("MatMul", self.constant(left), x)
        return self.add("MatMul", product, self.constant(right))

    def sum(self, x: str, axis: int, *, keep: bool) -> str:
        """Append the sum over an axis, which stays as one of length 1 or goes."""
        axes = self.constant(np.array([axis], dtype=np.int64))
        return self.add("ReduceSum", x, axes, keepdims=int(keep))

    def brightness(self) -> str:
        """Append the input's pixels as float32 (N, 3, H, W), 0 to 1, and return their name."""
        pixels = self.add("Cast", INPUT, to=TensorProto.FLOAT)
        upright = self.add("Transpose", pixels, perm=[0, 3, 1, 2])
        return self.add("Mul", upright, self.number(1 / 255))

    def serialised(self, size: tuple[int, int], classes: int) -> bytes:
        """Return the graph that takes uint8 images of a height and width, once it is checked."""
        model = helper.make_model(
            helper.make_graph(
                self._nodes,
                "scones",
                [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["N", *size, 3])],
                [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", classes])],
                self._constants,
            ),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="scones",
        )
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())
