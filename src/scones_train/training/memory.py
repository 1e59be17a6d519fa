"""Memory: how the C library of the training program gives it back."""

import ctypes
import sys

# Parameters of glibc's mallopt, of its <malloc.h>, and what they are set to: one heap for all
# threads that never shrinks, and nothing beside it.
ARENA_MAX, MMAP_MAX, TRIM_THRESHOLD = -8, -4, -1
KEEP = {ARENA_MAX: 1, MMAP_MAX: 0, TRIM_THRESHOLD: 2**31 - 1}


def keep_freed_memory() -> bool:
    """Have this process keep the memory that it frees, for its next need; return whether it does.

    PyTorch asks for the same megabytes at every step. glibc gives large ones back to the system
    each time, which clears every page before it hands it out again: that was half of the time of
    the frozen blocks. Call it before threads begin. Without glibc nothing changes.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    done = [library.mallopt(name, value) for name, value in KEEP.items()]
    return all(done)
