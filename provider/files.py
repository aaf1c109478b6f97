"""Texts that a library wants as a file (certificates, keys) without leaving one on the disk."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def as_file(text: str) -> Iterator[str]:
    """Give the text a path that only this process can read, gone when the block ends, also after kill -9 on Linux."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("pipe", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, text.encode())
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
        return
    directory = tempfile.mkdtemp(prefix="pipe-")  # mode 0700
    try:
        path = Path(directory, "text")
        path.touch(mode=0o600)
        path.write_text(text)
        yield str(path)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@functools.cache
def kept(text: str) -> str:
    """Give the text such a path until the process ends, for a library that opens it again whenever it likes."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(as_file(text))
