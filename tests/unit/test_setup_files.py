"""Set-up's files: whole or not there, and digests that notice every change."""

from __future__ import annotations

from pathlib import Path

from setup.files import create_once, digest, replace_directory, write_atomic


def test_a_written_file_has_the_mode_asked_for_whatever_the_umask(tmp_path: Path) -> None:
    write_atomic(tmp_path / "secret", "x", 0o600)
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["secret"]


def test_the_first_passphrase_stays(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    assert create_once(file, "first", 0o600)
    assert not create_once(file, "second", 0o600)
    assert file.read_text() == "first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["passphrase"]


def test_a_directory_is_replaced_as_a_whole(tmp_path: Path) -> None:
    old, new = tmp_path / "pulumi", tmp_path / "new"
    for folder, name in ((old, "old"), (new, "new")):
        folder.mkdir()
        (folder / name).touch()
    replace_directory(new, old)
    assert [file.name for file in old.iterdir()] == ["new"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["pulumi"]


def test_a_digest_notices_content_names_and_absence(tmp_path: Path) -> None:
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "a").write_text("1")
    seen = {digest([folder])}
    (folder / "a").write_text("2")
    seen.add(digest([folder]))
    (folder / "a").rename(folder / "b")
    seen.add(digest([folder]))
    seen.add(digest([tmp_path / "absent"]))
    assert len(seen) == 4
