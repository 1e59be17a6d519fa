"""Data from a pickle without running anything that the pickle asks for.

The CIFAR archives hold pickles of protocol 2, those that were packed again any up to 5. Besides
lists, numbers and strings they name few things: `_codecs.encode`, `numpy.dtype`, `numpy.ndarray`,
`_reconstruct` (of `numpy.core.multiarray`, or `numpy._core.multiarray` if numpy 2 wrote them) and,
from protocol 5 on, `_frombuffer`. Here each name leads to an inert stand-in, so that not even
numpy sees the input before it was checked.

Only the opcodes that such files have are executed. Left out are those that call constructors, make
sets or copy references, and dict keys must be plain: hashing nested tuples can take forever or end
the process. The number of opcodes, and of values that runs of them give, follows from the length.
"""

import contextlib
import math
import pickle
import re
import struct
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from scones_core.errors import MalformedDataset

# From here on a piece of a pickle is worth more as a slice; no name is so long.
_LARGE = 1 << 16
_LINE = re.compile(rb"[^\n]*\n")
_NUMBERS = re.compile(rb"(?:K.)+", re.DOTALL)
_SHORT_BINSTRING, _BINPUT, _LONG_BINPUT = b"Uqr"
_UINT4, _UINT8 = struct.Struct("<I"), struct.Struct("<Q")
# Each row of a table has 3,072 bytes of pixels and some six opcodes.
_BYTES_PER_OPCODE, _FREE_OPCODES = 64, 10_000
_OPCODES: Final = b"".join(
    (
        pickle.PROTO, pickle.FRAME, pickle.STOP, pickle.MARK, pickle.POP,
        pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE,
        pickle.INT, pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG, pickle.LONG1,
        pickle.FLOAT, pickle.BINFLOAT,
        pickle.STRING, pickle.BINSTRING, pickle.SHORT_BINSTRING,
        pickle.UNICODE, pickle.BINUNICODE, pickle.SHORT_BINUNICODE, pickle.BINUNICODE8,
        pickle.BINBYTES, pickle.SHORT_BINBYTES, pickle.BINBYTES8, pickle.BYTEARRAY8,
        pickle.TUPLE, pickle.EMPTY_TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3,
        pickle.LIST, pickle.EMPTY_LIST, pickle.APPEND, pickle.APPENDS,
        pickle.DICT, pickle.EMPTY_DICT, pickle.SETITEM, pickle.SETITEMS,
        pickle.GET, pickle.BINGET, pickle.LONG_BINGET,
        pickle.PUT, pickle.BINPUT, pickle.LONG_BINPUT, pickle.MEMOIZE,
        pickle.GLOBAL, pickle.STACK_GLOBAL, pickle.REDUCE, pickle.BUILD,
    )
)  # fmt: skip
"""https://github.com/python/cpython/blob/3.13/Lib/pickletools.py describes each."""


class PickledDtype:
    """Stands in for `numpy.dtype`: keeps the type's name, such as `u1`, and its byte order."""

    __slots__ = ("code", "order")

    def __init__(self, code: object = None, *_flags: object) -> None:
        self.code = code.decode("latin1") if isinstance(code, bytes) else code
        self.order = "<"

    def __setstate__(self, state: object) -> None:
        """Take the byte order from `(version, order, ...)`; a type of one byte has none."""
        if isinstance(state, tuple) and len(state) > 1 and state[1] in (">", b">"):
            self.order = ">"


class PickledArray:
    """Stands in for `numpy.ndarray`: keeps the state until `uint8_array` checks it."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


def _frombuffer(
    raw: object = None, dtype: object = None, shape: object = None, order: object = None, *_: object
) -> PickledArray:
    array = _of_state(raw, dtype, shape)
    array.state = (1, shape, dtype, not (isinstance(order, str) and order == "C"), raw)
    return array


class _ArrayType:
    """What the name `numpy.ndarray` leads to; it is only ever handed on."""

    __slots__ = ()


def _scalar(dtype: object = None, raw: object = None) -> object:
    """Return the plain integer or text of one of numpy's own; raises UnpicklingError for others."""
    found = plain_list(_of_state(raw, dtype, (1,)), 1)
    if not isinstance(found, list):
        raise pickle.UnpicklingError("it holds a number that is not an integer")
    return found[0]


def _of_state(raw: object, dtype: object, shape: object) -> PickledArray:
    array = PickledArray()
    array.state = (1, shape, dtype, False, raw)
    return array


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
    dispatch: ClassVar[dict[int, Callable[..., None]]] = {}
    # What the base class has, and its stub has not.
    stack: list[Any]
    memo: dict[int, Any]
    read: Callable[[int], bytes | memoryview]
    pop_mark: Callable[[], list[Any]]
    _unframer: Any

    def __init__(self, content: bytes | memoryview) -> None:
        self._content = _Content(content)
        super().__init__(self._content, encoding="bytes")  # type: ignore[arg-type]
        self._encodable = len(content)
        self._left = len(content) // _BYTES_PER_OPCODE + _FREE_OPCODES
        self._globals: Final[dict[tuple[str, str], Callable[..., object] | _ArrayType]] = {
            ("_codecs", "encode"): self._encode,
            ("numpy", "dtype"): PickledDtype,
            ("numpy", "ndarray"): _ArrayType(),
            ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
            ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
            ("numpy.core.multiarray", "scalar"): _scalar,
            ("numpy._core.multiarray", "scalar"): _scalar,
            ("numpy.core.numeric", "_frombuffer"): _frombuffer,
            ("numpy._core.numeric", "_frombuffer"): _frombuffer,
        }

    def spend(self, count: int) -> None:
        """Count opcodes and values; raises UnpicklingError for more than image data has."""
        self._left -= count
        if self._left < 0:
            raise pickle.UnpicklingError("it has more values than its length allows")

    def load_mark(self) -> None:
        """Begin a list, and take the run of numbers or strings that it begins with."""
        super().load_mark()  # type: ignore[misc]
        if self._unframer.current_frame:
            return  # Since protocol 4 a frame may stand between; CIFAR has protocol 2.
        content = self._content
        if run := _NUMBERS.match(content.bytes, content.at):
            self.spend(len(run[0]) // 2)
            self.stack.extend(run[0][1::2])
            content.at = run.end()
        else:
            self._load_strings(content)

    def load_bytearray8(self) -> None:
        """Take the bytes that are there; the base class allocates what the length claims."""
        (size,) = _UINT8.unpack(self.read(8))
        piece = self.read(min(size, len(self._content.bytes) + 1))
        if len(piece) != size:
            raise pickle.UnpicklingError("it is truncated")
        self.stack.append(piece)

    def load_build(self) -> None:
        """Hand a state to a stand-in; the base class would set attributes of anything."""
        state = self.stack.pop()
        if not self.stack or not isinstance(self.stack[-1], PickledDtype | PickledArray):
            raise pickle.UnpicklingError("it sets the state of something else than an array")
        self.stack[-1].__setstate__(state)

    def load_setitem(self) -> None:
        """Set one item of a dict, whose key is plain."""
        value, key = self.stack.pop(), self.stack.pop()
        self._table()[_plain_key(key)] = value

    def load_setitems(self) -> None:
        """Set the items since the mark in a dict; their keys are plain."""
        items = self.pop_mark()
        table = self._table()
        for key, value in zip(items[::2], items[1::2], strict=True):
            table[_plain_key(key)] = value

    def load_dict(self) -> None:
        """Make a dict of the items since the mark; their keys are plain."""
        items = self.pop_mark()
        keys = [_plain_key(key) for key in items[::2]]
        self.stack.append(dict(zip(keys, items[1::2], strict=True)))

    def _table(self) -> dict[Any, Any]:
        if not self.stack or type(self.stack[-1]) is not dict:
            raise pickle.UnpicklingError("it sets an item of something else than a dict")
        table: dict[Any, Any] = self.stack[-1]
        return table

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
                self.spend(1)
                self.memo[index] = value = bytes(code[at + 2 : end])
                self.stack.append(value)
                content.at = at = after

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        try:
            return self._globals[module_name, global_name]
        except KeyError:
            global_path = f"{module_name}.{global_name}"
            raise pickle.UnpicklingError(
                f"it asks for {global_path!r}, which image data never needs"
            ) from None

    def _encode(self, text: object, encoding: object) -> bytes:
        """Return bytes that Python 3 wrote as text; all of them fit in the pickle's length."""
        # By type first: to hash a nested tuple may never end.
        known = isinstance(encoding, str | bytes) and encoding in {"latin1", b"latin1"}
        if not isinstance(text, str) or not known:
            raise pickle.UnpicklingError("it encodes something else than text as latin1")
        self._encodable -= len(text)
        if self._encodable < 0:
            raise pickle.UnpicklingError("it unpacks to more than its own length")
        return text.encode("latin1")


def _plain_key(key: object) -> str | bytes | int:
    if isinstance(key, memoryview):
        return bytes(key)
    if not isinstance(key, str | bytes | int):
        raise pickle.UnpicklingError("a key of a dict is neither a string nor a number")
    return key


def _counted(handler: Callable[[_InertUnpickler], None]) -> Callable[[_InertUnpickler], None]:
    def run(unpickler: _InertUnpickler) -> None:
        unpickler.spend(1)
        handler(unpickler)

    return run


def _handlers() -> Iterator[tuple[int, Callable[..., None]]]:
    """Yield the handler of each opcode that is executed, counted, and of no other."""
    for opcode in range(256):
        base: Any = pickle._Unpickler.dispatch.get(opcode)
        if base is not None and opcode in _OPCODES:
            # An overridden handler, else the base class's own.
            yield opcode, _counted(getattr(_InertUnpickler, base.__name__, base))
        else:
            yield opcode, partial(_refused, opcode)


def _refused(opcode: int, _unpickler: _InertUnpickler) -> None:
    raise pickle.UnpicklingError(
        f"it has the opcode {bytes([opcode])!r}, which image data never needs"
    )


_InertUnpickler.dispatch.update(_handlers())


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


_NUMBER_TYPES: Final = frozenset(f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8))
_TEXT_TYPE: Final = re.compile(r"[SU][0-9]{1,3}")


def plain_list(value: object, max_count: int) -> object:
    """Return a list for a pickled tuple, or a pickled array of one axis of integers or texts.

    Texts come as numpy stored them, without the zeros behind them. Anything else, and an array of
    more than `max_count` values, is returned as it is, for the caller to refuse.
    """
    match value:
        case tuple():
            return list(value)
        case PickledArray(
            state=(
                int(),
                (int(count),),
                PickledDtype(code=str(code), order=order),
                False | 0 | True | 1,
                bytes() | memoryview() | bytearray() | list() as raw,
            )
        ) if count <= max_count:
            if isinstance(raw, list):
                # The type `O`: its values are in the pickle one by one.
                return raw if code == "O8" and len(raw) == count else value
            known = code in _NUMBER_TYPES or _TEXT_TYPE.fullmatch(code)
            dtype = np.dtype(f"{order}{code}") if known else None
            if dtype and dtype.itemsize and len(raw) == count * dtype.itemsize:
                return list(np.frombuffer(raw, dtype=dtype).tolist())
    return value


def uint8_array(value: object, where: str) -> NDArray[np.uint8]:
    """Return a pickled uint8 array in its own shape, without a copy where it is in C order.

    An array in Fortran's order is copied. Raises MalformedDataset unless it is of that type and as
    long as its shape.
    """
    match value:
        case PickledArray(
            state=(
                int(),
                tuple(shape),
                PickledDtype(code="u1"),
                False | 0 | True | 1 as fortran,
                bytes() | memoryview() | bytearray() as raw,
            )
        ):
            # Sizes are bounded before they are multiplied, printed or handed to numpy.
            plain = len(shape) <= 4 and all(
                type(size) is int and 0 <= size <= len(raw) for size in shape
            )
            if plain and math.prod(shape) == len(raw):
                found = np.frombuffer(raw, dtype=np.uint8)
                return (
                    found.reshape(shape, order="F").copy("C") if fortran else found.reshape(shape)
                )
            fault = f"has a shape that does not fit its {len(raw):,} bytes"
        case _:
            fault = "is no uint8 array"
    raise MalformedDataset(f"{where} {fault}; get the archive again.")
