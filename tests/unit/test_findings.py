"""The linter's findings: the real squawk, the same for `make lint` and for the comment on a pull request."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from delivery import findings, preview_comment
from delivery.findings import Finding

ROOT = Path(__file__).resolve().parents[2]
REQUIRED = """\
-- Users get a note.
ALTER TABLE pipe.users ADD COLUMN note varchar(100) NOT NULL;
"""
# Squawk looks at an index that is alone in its file as if nobody had wrapped it; the provider refuses that one itself.
INDEX = "CREATE INDEX CONCURRENTLY idx_users_name ON pipe.users (name);\nANALYZE pipe.users;\n"


def rules(*texts: str) -> list[tuple[str, int, str]]:
    numbered = [(f"sql/migrations/{number:04d}_x.sql", text) for number, text in enumerate(texts, 1)]
    return [(found.file[-10:-6], found.line, found.rule) for found in findings.findings(numbered)]


def test_a_finding_has_its_file_line_and_rule_and_files_keep_their_order() -> None:
    fine = "-- Fine.\nCREATE TABLE pipe.t (id bigint PRIMARY KEY);\n"
    assert rules(REQUIRED, fine, "-- A.\n\n" + REQUIRED) == [
        ("0001", 2, "adding-required-field"),
        ("0003", 4, "adding-required-field"),
    ]
    assert findings.findings([]) == []


def test_an_index_is_made_concurrently_where_the_file_has_no_transaction_and_only_there() -> None:
    assert rules(f"-- Why.\n-- pipe: no-transaction\n{INDEX}", f"-- Why.\n{INDEX}") == [
        ("0002", 2, "ban-concurrent-index-creation-in-transaction")
    ]


def test_a_statement_may_be_accepted_with_a_reason() -> None:
    accepted = REQUIRED.replace("ALTER", "-- squawk-ignore adding-required-field\nALTER")
    assert rules(accepted) == []


def test_the_checkouts_own_migrations_have_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert findings.main() == 0
    assert capsys.readouterr().out == ""


def test_lint_says_what_the_comment_says_and_what_a_preview_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "sql" / "migrations"
    folder.mkdir(parents=True)
    (folder / "0002_note.sql").write_text(REQUIRED)
    monkeypatch.setattr(findings, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    assert findings.main() == 1
    (refused, found, hint) = capsys.readouterr().out.splitlines()
    assert refused.startswith('there is no migration 0001 before "sql/migrations/0002_note.sql"')
    assert found.startswith("sql/migrations/0002_note.sql:2: adding-required-field: ")
    assert hint.startswith("  HINT: ")

    new = {
        "type": "pipe:sql:Migrations",
        "inputs": {"files": [{"file": "sql/migrations/0002_note.sql", "sql": REQUIRED}]},
    }
    digest = {
        "steps": [{"op": "update", "urn": "urn:pulumi:s::pipe::pipe:sql:Migrations::migrations", "newState": new}],
        "diagnostics": [{"severity": "info", "message": "pending: sql/migrations/0002_note.sql\n"}],
    }
    recorded = tmp_path / "preview.json"
    recorded.write_text(json.dumps(digest))
    for name in ("GITHUB_TOKEN", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    assert preview_comment.main(["--from", str(recorded)]) == 0
    comment = capsys.readouterr().out
    (only,) = findings.findings([("sql/migrations/0002_note.sql", REQUIRED)])
    assert "| `sql/migrations/0002_note.sql:2` | `adding-required-field` |" in comment
    assert only.help in comment


def test_a_finding_on_a_line() -> None:
    assert findings.line(Finding("f.sql", 3, "rule", "It is bad.")) == "f.sql:3: rule: It is bad."


def test_posting_needs_nothing_but_python() -> None:
    """The job that posts the comment has no environment of ours."""
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import delivery.preview_comment"
    subprocess.run([sys.executable, "-I", "-S", "-c", script], check=True)
