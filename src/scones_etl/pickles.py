"""Data from a pickle without running anything that the pickle asks for.

The CIFAR archives hold pickles of protocol 2. Besides lists, numbers and strings they name
four things: `_codecs.encode`, `numpy.dtype`, `numpy.ndarray` and `_reconstruct` (of
`numpy.core.multiarray`, or `numpy._core.multiarray` if numpy 2 wrote them). Here each name
leads to an inert stand-in, so that not even numpy sees the input before it was checked.
"""

import math
import pickle
from collections.abc import Callable
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from scones_core.errors import MalformedDataset


class PickledDtype:
    """Stands in for `numpy.dtype`: keeps the type's name, such as `u1`."""

    __slots__ = ("code",)

    def __init__(self, code: object = None, *_flags: object) -> None:
        self.code = code.decode("latin1") if isinstance(code, bytes) else code

    def __setstate__(self, _state: object) -> None:
        """Ignore byte order and alignment: a type of one byte has neither."""


class PickledArray:
    """Stands in for `numpy.ndarray`: keeps the state until `uint8_array` checks it."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


class _ArrayType:
    """What the name `numpy.ndarray` leads to; it is only ever handed on."""

    __slots__ = ()


def _reconstruct(*_arguments: object) -> PickledArray:
    return PickledArray()


# The pure Python unpickler, as the C one allocates what a single opcode claims (a memo index
# of 2**31 takes 32 GiB), while this one keeps its memo in a dict and slices the input.
class _InertUnpickler(pickle._Unpickler):
    def __init__(self, stream: IO[bytes], size: int) -> None:
        super().__init__(stream, encoding="bytes")
        self._encodable = size
        self._globals: Final[dict[tuple[str, str], Callable[..., object] | _ArrayType]] = {
            ("_codecs", "encode"): self._encode,
            ("numpy", "dtype"): PickledDtype,
            ("numpy", "ndarray"): _ArrayType(),
            ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
            ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
        }

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        try:
            return self._globals[module_name, global_name]
        except KeyError:
            wanted = f"{module_name}.{global_name}"
            raise pickle.UnpicklingError(
                f"it asks for {wanted!r}, which image data never needs"
            ) from None

    def _encode(self, text: object, encoding: object) -> bytes:
        """Return bytes that Python 3 wrote as text; all of them fit in the pickle's length."""
        if not isinstance(text, str) or encoding not in {"latin1", b"latin1"}:
            raise pickle.UnpicklingError("it encodes something else than text as latin1")
        self._encodable -= len(text)
        if self._encodable < 0:
            raise pickle.UnpicklingError("it unpacks to more than its own length")
        return text.encode("latin1")


def load(stream: IO[bytes], size: int, where: str) -> Any:
    """Return the lists, dicts, numbers, bytes and `PickledArray`s of a pickle of `size` bytes.

    `stream` ends after them. Strings of Python 2 come as bytes. Raises MalformedDataset, naming
    `where`, for a pickle that is truncated, broken, or names anything that image data does not
    need.
    """
    try:
        return _InertUnpickler(stream, size).load()
    # A broken pickle raises whatever its opcodes stumble over: there is no closed list.
    except Exception as error:
        raise MalformedDataset(
            f"{where} cannot be read: {error or type(error).__name__}. Get the archive again."
        ) from error


def uint8_array(value: object, where: str) -> NDArray[np.uint8]:
    """Return a pickled uint8 array in its own shape, read-only, without a copy.

    Raises MalformedDataset unless it is of that type, in C order and as long as its shape.
    """
    match value:
        case PickledArray(
            state=(int(), tuple(shape), PickledDtype(code="u1"), False | 0, bytes(raw))
        ):
            # Sizes are bounded before they are multiplied, printed or handed to numpy.
            plain = len(shape) <= 4 and all(
                type(size) is int and 0 <= size <= len(raw) for size in shape
            )
            if plain and math.prod(shape) == len(raw):
                return np.frombuffer(raw, dtype=np.uint8).reshape(shape)
            fault = f"has a shape that does not fit its {len(raw):,} bytes"
        case _:
            fault = "is no uint8 array in C order"
    raise MalformedDataset(f"{where} {fault}; get the archive again.")
