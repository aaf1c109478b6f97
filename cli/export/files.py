"""The files of an export: written beside their name, made safe, then renamed, so that a half one never looks whole.

They hold tenants' data, so only their owner reads them.
"""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from cli.errors import UserError

BLOCK_BYTES = 1 << 20
LEVEL = 6


def write(file: Path, blocks: Iterable[bytes]) -> str:
    """Write the file's content; returns its SHA-256. What an earlier, interrupted run left is overwritten."""
    part = file.with_name(file.name + ".part")
    digest = hashlib.sha256()
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(descriptor, 0o600)
            for block in blocks:
                digest.update(block)
                stream.write(block)
            stream.flush()
            os.fsync(descriptor)
        part.rename(file)
        _sync_directory(file.parent)
    except OSError as error:
        raise UserError(f'"{file}" cannot be written: {error.strerror}', "name another directory: TO=….") from None
    return digest.hexdigest()


def compressed(blocks: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """Compress on the way, without ever holding the whole."""
    sink = _Sink()
    # No time and no name in it: the same rows give the same file.
    with gzip.GzipFile(filename="", mode="wb", compresslevel=LEVEL, fileobj=sink, mtime=0) as stream:
        for block in blocks:
            stream.write(block)
            yield from sink.taken()
    yield from sink.taken()


def decompressed(file: Path, use: Callable[[bytes], object], sha256: str) -> None:
    """Hand over the file's content, block by block. Raises UserError where it is not what the manifest says."""
    if (found := digest(file)) != sha256:
        raise UserError(
            f'"{file}" has SHA-256 {found[:16]}…, its manifest says {sha256[:16]}…', "take another copy of the export."
        )
    try:
        with gzip.open(file, "rb") as stream:
            while block := stream.read(BLOCK_BYTES):
                use(block)
    except (OSError, EOFError) as error:
        raise UserError(f'"{file}" cannot be read: {error}', "take another copy of the export.") from None


def digest(file: Path) -> str:
    """SHA-256 of a file."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f'"{file}" cannot be read: {error.strerror}', "it belongs beside its manifest.") from None


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Sink:
    """What gzip writes into; emptied after each block."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []

    def write(self, block: bytes) -> int:
        self._blocks.append(bytes(block))
        return len(block)

    def flush(self) -> None:
        """Nothing waits here."""

    def taken(self) -> list[bytes]:
        blocks, self._blocks = self._blocks, []
        return blocks
