"""What the linter says of migrations: the same for `make lint` and for the comment on a pull request.

    python -m delivery.findings     lints sql/migrations; exits 1 when something was found

Squawk looks for what blocks the application or breaks it, with delivery/squawk.toml; before that the provider's own
rules say what a preview would refuse.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from provider.sql.header import header
from provider.sql.plan import File
from provider.sql.sequence import list_faults

ROOT = Path(__file__).resolve().parent.parent
SQUAWK = ROOT / ".venv" / "bin" / "squawk"
CONFIG = ROOT / "delivery" / "squawk.toml"
TIMEOUT_SECONDS = 60


class LintError(Exception):
    """The linter could not run; the text says why and what to do."""


@dataclass(frozen=True)
class Finding:
    """One thing that squawk says of a migration."""

    file: str
    line: int
    rule: str
    message: str
    help: str = ""


def findings(texts: Sequence[tuple[str, str]]) -> list[Finding]:
    """What squawk says of texts, each with its path within the project; in the order of the texts."""
    found = [
        finding
        for transactional in (True, False)
        for finding in _squawk(
            [text for text in texts if header(text[1]).transactional is transactional], transactional
        )
    ]
    order = {path: number for number, (path, _) in enumerate(texts)}
    return sorted(found, key=lambda finding: (order[finding.file], finding.line))


def main() -> int:
    """Lint the checkout's migrations; return the exit status."""
    from infra.schema import MIGRATIONS, VERIFY, read_files

    os.chdir(ROOT)
    files, verify = (
        [File(file.version, file.name, file.path, file.text) for file in read_files(folder)]
        for folder in (MIGRATIONS, VERIFY)
    )
    try:
        found = findings([(file.file, file.sql) for file in files])
    except LintError as error:
        print(f"findings: {error}")
        return 1
    lines = [*list_faults(files, verify), *map(line, found)]
    print("\n".join(lines), end="\n" if lines else "")
    return 1 if lines else 0


def line(finding: Finding) -> str:
    """A finding on a line, and its remedy on the next."""
    text = f"{finding.file}:{finding.line}: {finding.rule}: {finding.message}"
    return f"{text}\n  HINT: {finding.help}" if finding.help else text


def _squawk(texts: Sequence[tuple[str, str]], transactional: bool) -> Iterator[Finding]:
    """Run it on copies: the texts may be those of a preview. Where a file runs decides what it may contain."""
    if not texts:
        return
    mode = "--assume-in-transaction" if transactional else "--no-assume-in-transaction"
    with tempfile.TemporaryDirectory(prefix="pipe-lint-") as folder:
        for path, text in texts:
            copy = Path(folder) / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(text)
        command = [str(SQUAWK), "--config", str(CONFIG), mode, "--reporter", "json", *(path for path, _ in texts)]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
            )
            told = json.loads(done.stdout or "[]")
        except FileNotFoundError as error:
            raise LintError(f"{error.filename} is not there\nHINT: run: make setup") from None
        except (subprocess.TimeoutExpired, json.JSONDecodeError) as error:
            raise LintError(f"squawk did not say what it found: {error}\nHINT: run: make lint") from error
    if done.returncode and not told:
        raise LintError(f"squawk failed: {done.stderr.strip()}\nHINT: run: make lint")
    for one in told:
        # Squawk counts lines from 0 there.
        yield Finding(one["file"], one["line"] + 1, one["rule_name"], one["message"], one.get("help") or "")


if __name__ == "__main__":
    sys.exit(main())
