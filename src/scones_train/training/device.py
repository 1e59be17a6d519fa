"""Device of a training, chosen once: a GPU where there is one, else the processor."""

import torch

from scones_core.errors import TrainingError


def device_of(choice: str) -> torch.device:
    """Return the device of a training; raises TrainingError for a GPU that is not there."""
    there = torch.cuda.is_available()
    if choice == "cuda" and not there:
        raise TrainingError(
            "Hyperparameter device is cuda, and there is no GPU that this PyTorch "
            f"({torch.__version__}) can use; take auto or cpu, or an instance and image with one."
        )
    return torch.device("cuda" if choice != "cpu" and there else "cpu")


def uses_bfloat16(precision: str, device: torch.device) -> bool:
    """Say whether convolutions run in bfloat16: on request, or by itself where that is faster.

    A processor with bfloat16 instructions of its own gains about a third of the time, and a GPU
    with them more; one that emulates them loses.
    """
    if precision != "auto":
        return precision == "bfloat16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
