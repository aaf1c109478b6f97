"""A plan as the markdown of one comment. Pure.

Order: what fails, what is lost, what is warned of, what changes, what the linter says of migrations, SQL that will run,
settings, and how much stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import unified_diff
from itertools import groupby

from delivery.digest import (
    CREATE,
    DELETE,
    IMPORT,
    REPLACE,
    SECRET,
    UPDATE,
    Change,
    Plan,
    PropertyChange,
    Setting,
    Statement,
)
from delivery.findings import Finding

MARKER = "<!-- pipe-preview -->"
# GitHub refuses a comment above 65,536 characters; the rest is room for the marker and the notes.
MAX_COMMENT = 60_000
MAX_PROPERTIES = 12

_TITLE = {REPLACE: "Replaced", DELETE: "Deleted", UPDATE: "Changed in place", CREATE: "Created", IMPORT: "Imported"}


def comment(sections: Sequence[str]) -> str:
    """The whole comment from one section for each stack; shortened from its end where GitHub would refuse it."""
    body = "\n\n".join([MARKER, "# Preview", *sections])
    if len(body) <= MAX_COMMENT:
        return body + "\n"
    note = "\n\n_Shortened: the whole preview is in the job's summary._\n"
    cut = body[:MAX_COMMENT].rsplit("\n", 1)[0]
    # A cut inside a block must not swallow the note: close what is still open.
    fence = _open_fence(cut)
    return (
        cut
        + (f"\n{fence}" if fence else "")
        + "\n</details>" * (cut.count("<details>") - cut.count("</details>"))
        + note
    )


def section(plan: Plan, sql_limit: int = 12_000) -> str:
    """One stack's part of the comment. `sql_limit` is the number of characters shown of one SQL file."""
    parts = [f"## `{plan.stack}`: {headline(plan)}"]
    if plan.errors:
        parts.append("\n\n".join(["**The preview failed.**", *(_fenced(error, "text") for error in plan.errors)]))
    lost = [change for change in plan.of(REPLACE, DELETE) if change.holds_data]
    if lost:
        names = ", ".join(_code(change.name) for change in lost)
        parts.append(f"> [!CAUTION]\n> Data is lost: {names} would be {_past(lost)}.")
    if plan.warnings:
        title = f"### Warnings ({len(plan.warnings)})"
        parts.append("\n\n".join([title, *(_fenced(warning, "text") for warning in plan.warnings)]))
    for kind in _TITLE:
        of_kind = plan.of(kind)
        if of_kind:
            parts.append(_changes(kind, of_kind))
    if plan.findings:
        parts.append(_findings(plan.findings))
    parts += _sql(plan.statements, sql_limit)
    if plan.settings:
        parts.append(_settings(plan.settings))
    if plan.first_update:
        parts.append("First update of this stack: there are no earlier settings to compare with.")
    if not plan.errors:
        parts.append(f"{plan.unchanged} unchanged.")
    return "\n\n".join(parts)


def headline(plan: Plan) -> str:
    """The plan in a line, such as "2 replaced, 1 created, 1 pending migration"."""
    if plan.errors:
        return "failed"
    counts = [(title.split()[0].lower(), len(plan.of(kind))) for kind, title in _TITLE.items()]
    words = [f"{count} {word}" for word, count in counts if count]
    pending = sum(not statement.repeatable for statement in plan.statements)
    if pending:
        words.append(f"{pending} pending migration{'s' if pending > 1 else ''}")
    if plan.findings:
        words.append(f"{len(plan.findings)} finding{'s' if len(plan.findings) > 1 else ''} of the linter")
    if plan.settings:
        words.append(f"{len(plan.settings)} setting{'s' if len(plan.settings) > 1 else ''} changed")
    words = words or ["no changes"]
    if plan.warnings:
        words.append(f"{len(plan.warnings)} warning{'s' if len(plan.warnings) > 1 else ''}")
    return ", ".join(words)


def _past(changes: Sequence[Change]) -> str:
    return " or ".join(sorted({"replaced" if change.kind == REPLACE else "deleted" for change in changes}))


def _changes(kind: str, changes: Sequence[Change]) -> str:
    title = f"### {_TITLE[kind]} ({len(changes)})"
    if kind in (CREATE, IMPORT):
        # Nothing that is there yet is touched: names by type are enough, and long lists fold.
        by_type = groupby(sorted(changes, key=lambda c: (c.type, c.name)), key=lambda c: c.type)
        lines = [f"- {_code(type_)}: {', '.join(_code(change.name) for change in group)}" for type_, group in by_type]
        body = "\n".join(lines)
        if len(lines) <= 5:
            return f"{title}\n\n{body}"
        return f"{title}\n\n<details><summary>By type</summary>\n\n{body}\n\n</details>"
    return "\n".join([title, "", "| resource | type | what differs |", "|---|---|---|", *map(_row, changes)])


def _row(change: Change) -> str:
    name = f"{_code(change.name)} **holds data**" if change.holds_data else _code(change.name)
    differing = [_property(item, change.replaced_for) for item in change.properties[:MAX_PROPERTIES]]
    if len(change.properties) > MAX_PROPERTIES:
        differing.append(f"and {len(change.properties) - MAX_PROPERTIES} more")
    return f"| {name} | {_code(change.type)} | {'<br>'.join(differing)} |"


def _property(item: PropertyChange, replaced_for: Sequence[str]) -> str:
    top = re.split(r"[.\[]", item.path, maxsplit=1)[0]
    forces = " (forces replacement)" if top in replaced_for or item.path in replaced_for else ""
    if item.old is None and item.new is None:
        return _code(item.path) + forces
    return f"{_code(item.path)}: {_value(item.old)} → {_value(item.new)}{forces}"


def _value(text: str | None) -> str:
    return "…" if text is None else _code(text)


def _sql(statements: Sequence[Statement], limit: int) -> Iterator[str]:
    for repeatable, title in ((False, "Pending migrations"), (True, "Re-applied SQL")):
        chosen = [statement for statement in statements if statement.repeatable == repeatable]
        if chosen:
            again = [_code(statement.file) for statement in chosen if statement.before == statement.sql]
            bodies = [_folded(statement, limit) for statement in chosen if statement.before != statement.sql]
            if again:
                bodies.append(f"As before, since something they rest on changes: {', '.join(again)}")
            yield "\n\n".join([f"### {title} ({len(chosen)})", *bodies])


def _findings(findings: Sequence[Finding]) -> str:
    lines = [f"### Linter on pending migrations ({len(findings)})", "", "| where | rule | what |", "|---|---|---|"]
    lines += [
        f"| {_code(f'{item.file}:{item.line}')} | {_code(item.rule)} | {_cell(item.message)} {_cell(item.help)} |"
        for item in findings
    ]
    lines += ["", "`make lint` says the same; a comment `-- squawk-ignore rule` above a statement accepts it."]
    return "\n".join(lines)


def _cell(text: str) -> str:
    """The linter's own words inside a table, code spans and all."""
    return _escaped(" ".join(text.split())).replace("|", "\\|").replace("@", "&#64;")


def _folded(statement: Statement, limit: int) -> str:
    if statement.before is None:
        text, language = statement.sql.rstrip(), "sql"
    else:
        # The file is known: what changed in it says more than the whole.
        lines = unified_diff(statement.before.splitlines(), statement.sql.splitlines(), "before", "after", lineterm="")
        text, language = "\n".join(lines), "diff"
    shown = text if len(text) <= limit else text[:limit].rsplit("\n", 1)[0]
    note = "" if shown == text else f"\n\n_{len(text) - len(shown)} more characters: see the file._"
    summary = _escaped(statement.file)
    return f"<details><summary><code>{summary}</code></summary>\n\n{_fenced(shown, language)}{note}\n\n</details>"


def _settings(settings: Sequence[Setting]) -> str:
    lines = [f"### Settings changed ({len(settings)})", "", "| setting | was | becomes |", "|---|---|---|"]
    lines += [f"| {_code(item.key)} | {_setting(item.old)} | {_setting(item.new)} |" for item in settings]
    return "\n".join(lines)


def _setting(text: str | None) -> str:
    if text is None:
        return "(not set)"
    return "(secret)" if text == SECRET else _code(text)


def _code(text: str) -> str:
    """Text as a code span inside a table cell, whatever it contains."""
    flat = " ".join(text.split()).replace("|", "\\|")
    longest = max((len(run) for run in re.findall(r"`+", flat)), default=0)
    if not longest:
        return f"`{flat}`" if flat else "(empty)"
    ticks = "`" * (longest + 1)
    return f"{ticks} {flat} {ticks}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _fenced(text: str, language: str) -> str:
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    ticks = "`" * (longest + 1)
    return f"{ticks}{language}\n{text}\n{ticks}"


def _open_fence(text: str) -> str:
    """The fence that is still open at the end of the text, or nothing."""
    fence = ""
    for line in text.splitlines():
        match = re.match(r"`{3,}", line)
        if match and not fence:
            fence = match.group()
        elif fence and line.strip() == fence:
            fence = ""
    return fence
