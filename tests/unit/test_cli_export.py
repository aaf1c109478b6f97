"""Files of an export: whole or not there, their owner's alone, the same for the same rows."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from cli.errors import UserError
from cli.export import files, manifest
from cli.export.manifest import Manifest, Month
from cli.export.run import named_directory

BLOCKS = [b"one\ttwo\n", b"", b"x" * 3_000_000]
MONTH = Month("pipeline_runs", date(2024, 3, 1))
EXPORTED = Manifest(
    "pipeline_runs", "2024-03-01", 2, "1-2", (("id", "uuid", True),), "m.copy.gz", "ab", "0012_last", None
)


def test_a_month_is_named_as_in_the_database() -> None:
    assert MONTH.name == "pipeline_runs_y2024m03"
    assert manifest.path_of(Path("/to"), MONTH) == Path("/to/pipeline_runs_y2024m03.json")


def test_what_is_written_is_read_and_its_owner_s_alone(tmp_path: Path) -> None:
    file = tmp_path / "m.copy.gz"
    # What an interrupted run left, and by whom it could be read.
    file.with_name("m.copy.gz.part").write_bytes(b"half")
    digest = files.write(file, files.compressed(BLOCKS))
    assert digest == files.digest(file) == hashlib.sha256(file.read_bytes()).hexdigest()
    assert gzip.decompress(file.read_bytes()) == b"".join(BLOCKS)
    assert [(path.name, path.stat().st_mode & 0o777) for path in tmp_path.iterdir()] == [("m.copy.gz", 0o600)]
    taken: list[bytes] = []
    files.decompressed(file, taken.append, digest)
    assert b"".join(taken) == b"".join(BLOCKS)
    assert files.write(tmp_path / "again", files.compressed(BLOCKS)) == digest


def test_what_is_cut_off_never_looks_whole(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.write(tmp_path / "m", broken())
    assert not (tmp_path / "m").exists()


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        files.write(tmp_path / "nowhere" / "m", [b""])
    assert caught.value.text() == (
        f'error: "{tmp_path}/nowhere/m" cannot be written: No such file or directory'
        "\nHINT: name another directory: TO=…."
    )


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    for exported in (EXPORTED, Manifest(**vars(EXPORTED) | {"table": "audit_logs", "seals": (3, 9)})):
        file = tmp_path / "m.json"
        file.write_text(exported.text())
        assert manifest.read(file) == exported


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        EXPORTED.text().replace("m.copy.gz", "../m"),
        EXPORTED.text().replace("2024-03", "2024-13"),
        EXPORTED.text().replace("pipeline_runs", "a; b"),
        EXPORTED.text().replace('"rows"', '"lines"'),
    ],
)
def test_what_is_no_manifest_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "m.json"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        manifest.read(file)
    assert caught.value.text() == (
        f'error: "{file}" is no manifest of an export\nHINT: FILE is the .json file beside the data.'
    )


def test_a_directory_has_to_be_named_and_there(tmp_path: Path) -> None:
    assert named_directory(str(tmp_path)) == tmp_path
    with pytest.raises(UserError, match=r"^no directory is named to export to$"):
        named_directory("")
    with pytest.raises(UserError, match=rf'^there is no directory "{tmp_path}/not"$'):
        named_directory(f"{tmp_path}/not")
