"""What the program reads of sql/: everything that is there, so that nothing is passed over in silence."""

from __future__ import annotations

from pathlib import Path

import pulumi
import pytest

from infra.schema import SqlFile, read_files


def test_files_come_in_the_order_of_their_names_with_number_and_name(tmp_path: Path) -> None:
    (tmp_path / "0002_b_c.sql").write_text("b")
    (tmp_path / "0001_a.sql").write_text("a")
    assert [(file.version, file.name, file.text) for file in read_files(tmp_path)] == [
        ("0001", "a", "a"),
        ("0002", "b_c", "b"),
    ]


def test_a_file_with_another_suffix_is_not_passed_over_but_hidden_ones_and_folders_are(tmp_path: Path) -> None:
    (tmp_path / "0001_a.SQL").write_text("a")
    (tmp_path / ".0001_a.sql.swp").write_bytes(b"\xff")
    (tmp_path / "old").mkdir()
    assert [Path(file.path).name for file in read_files(tmp_path)] == ["0001_a.SQL"]


def test_the_mark_that_some_editors_begin_with_and_their_line_ends_are_not_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_bytes("\ufeff-- ü\r\nSELECT 1;\r\n".encode())
    (file,) = read_files(tmp_path)
    assert file == SqlFile("0001", "a", file.path, "-- ü\nSELECT 1;\n")


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_bytes("-- ü".encode("latin-1"))
    with pytest.raises(pulumi.RunError, match=r"0001_a\.sql is not UTF-8 at byte 3\. HINT: save it as UTF-8\."):
        read_files(tmp_path)


def test_a_folder_that_is_not_there_has_no_files(tmp_path: Path) -> None:
    assert read_files(tmp_path / "verify") == []
