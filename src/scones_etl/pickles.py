"""Data from a pickle without running anything that the pickle asks for.

The CIFAR archives hold pickles of protocol 2. Besides lists, numbers and strings they name
four things: `_codecs.encode`, `numpy.dtype`, `numpy.ndarray` and `_reconstruct` (of
`numpy.core.multiarray`, or `numpy._core.multiarray` if numpy 2 wrote them). Here each name
leads to an inert stand-in, so that not even numpy sees the input before it was checked.
"""

import contextlib
import math
import pickle
import re
import struct
from collections.abc import Callable
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from scones_core.errors import MalformedDataset

# From here on a piece of a pickle is worth more as a slice; no name is so long.
_LARGE = 1 << 16
_LINE = re.compile(rb"[^\n]*\n")
_NUMBERS = re.compile(rb"(?:K.)+", re.DOTALL)
_SHORT_BINSTRING, _BINPUT, _LONG_BINPUT = b"Uqr"
_UINT4 = struct.Struct("<I")


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


class _Content:
    """A pickle as the file that an unpickler reads; large pieces are slices, not copies."""

    def __init__(self, content: bytes | memoryview) -> None:
        self.bytes, self.at = memoryview(content).toreadonly(), 0

    def read(self, size: int) -> bytes | memoryview:
        piece = self.bytes[self.at : self.at + size]
        self.at += len(piece)
        return piece if size >= _LARGE else bytes(piece)

    def readline(self) -> bytes:
        found = _LINE.match(self.bytes, self.at)
        line = found[0] if found else b""
        self.at += len(line)
        return line


# The pure Python unpickler, as the C one allocates what a single opcode claims (a memo index
# of 2**31 takes 32 GiB), while this one keeps its memo in a dict and slices the input. It takes
# a microsecond for each opcode, so the two runs that fill a CIFAR table, of small numbers and of
# short strings, are read as a whole.
class _InertUnpickler(pickle._Unpickler):
    dispatch: ClassVar[dict[int, Callable[..., None]]] = dict(pickle._Unpickler.dispatch)
    # What the base class has, and its stub has not.
    stack: list[Any]
    memo: dict[int, Any]
    _unframer: Any

    def __init__(self, content: bytes | memoryview) -> None:
        self._content = _Content(content)
        super().__init__(self._content, encoding="bytes")  # type: ignore[arg-type]
        self._encodable = len(content)
        self._globals: Final[dict[tuple[str, str], Callable[..., object] | _ArrayType]] = {
            ("_codecs", "encode"): self._encode,
            ("numpy", "dtype"): PickledDtype,
            ("numpy", "ndarray"): _ArrayType(),
            ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
            ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
        }

    def load_mark(self) -> None:
        """Begin a list, and take the run of numbers or strings that it begins with."""
        super().load_mark()  # type: ignore[misc]
        if self._unframer.current_frame:
            return  # Since protocol 4 a frame may stand between; CIFAR has protocol 2.
        content = self._content
        if run := _NUMBERS.match(content.bytes, content.at):
            self.stack.extend(run[0][1::2])
            content.at = run.end()
        else:
            self._load_strings(content)

    dispatch[pickle.MARK[0]] = load_mark

    def _load_strings(self, content: _Content) -> None:
        """Take SHORT_BINSTRINGs, each with the memo index that follows it."""
        code, at = content.bytes, content.at
        # Past the end nothing is taken; whoever reads on there finds that it is cut.
        with contextlib.suppress(IndexError, struct.error):
            while code[at] == _SHORT_BINSTRING:
                end = at + 2 + code[at + 1]
                if code[end] == _BINPUT:
                    index, after = code[end + 1], end + 2
                elif code[end] == _LONG_BINPUT:
                    (index,), after = _UINT4.unpack_from(code, end + 1), end + 5
                else:
                    break
                self.memo[index] = value = bytes(code[at + 2 : end])
                self.stack.append(value)
                content.at = at = after

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


def load(content: bytes | memoryview, where: str) -> Any:
    """Return the lists, dicts, numbers, bytes and `PickledArray`s of a pickle.

    Strings of Python 2 come as bytes, large ones as slices of `content`. Raises
    MalformedDataset, naming `where`, for a pickle that is truncated, broken, or names anything
    that image data does not need.
    """
    try:
        return _InertUnpickler(content).load()
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
            state=(
                int(),
                tuple(shape),
                PickledDtype(code="u1"),
                False | 0,
                bytes() | memoryview() as raw,
            )
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
