"""A trained network as one ONNX graph: pixels in, probabilities out."""

import io
import warnings
from collections.abc import Mapping

import onnx
import torch
from safetensors.torch import save as save_safetensors
from torch import Tensor, nn

from scones_train.channels import Normalisation
from scones_train.model.classifier import Classifier
from scones_train.serving.predictor import INPUT, OUTPUT

# Gelu is an operator of its own since opset 20.
OPSET = 20


class Served(nn.Module):
    """Normalisation, the network's answer over its flips, temperature and softmax."""

    def __init__(
        self, network: Classifier, normalisation: Normalisation, temperature: float
    ) -> None:
        super().__init__()
        self.network, self.temperature = network, temperature
        mean, std = torch.tensor(normalisation.mean), torch.tensor(normalisation.std)
        self.scale: Tensor
        self.shift: Tensor
        self.register_buffer("scale", (1 / (255 * std)).view(3, 1, 1))
        self.register_buffer("shift", (mean / std).view(3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Return float32 probabilities (N, classes) for uint8 images (N, H, W, 3)."""
        x = images.permute(0, 3, 1, 2).float() * self.scale - self.shift
        return torch.softmax(self.network.answers(x) / self.temperature, dim=1)


def to_onnx(
    network: Classifier, normalisation: Normalisation, temperature: float, size: tuple[int, int]
) -> bytes:
    """Return the serialised graph of a network in evaluation mode.

    Input `images`: uint8 (N, height, width, 3) of `size`, N free. Output `probabilities`:
    float32 (N, classes). Normalisation, flips, temperature and softmax are inside.
    """
    served = Served(network, normalisation, temperature).cpu().eval()
    served.requires_grad_(requires_grad=False)
    buffer = io.BytesIO()
    example = torch.zeros((1, *size, 3), dtype=torch.uint8)
    with warnings.catch_warnings():
        # The exporter that needs no further package is called the older one.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            served,
            (example,),
            buffer,  # type: ignore[arg-type]
            dynamo=False,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "N"}, OUTPUT: {0: "N"}},
            opset_version=OPSET,
        )
    graph = onnx.load_model_from_string(buffer.getvalue())
    onnx.checker.check_model(graph, full_check=True)
    return buffer.getvalue()


def weights_bytes(network: Classifier, origin: Mapping[str, str]) -> bytes:
    """Return the network's weights as safetensors; `origin` is kept as its metadata."""
    state = {name: value.cpu().contiguous() for name, value in network.state_dict().items()}
    return save_safetensors(state, metadata=dict(origin))
