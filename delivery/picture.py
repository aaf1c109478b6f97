"""The picture of the stages in docs/architecture.md, drawn from `__main__.py`: python -m delivery.picture [--check].

Every assignment there that makes a stage is a box; an arrow says that a stage is given something of another one, a
dotted one that it only waits for it. Arrows that a longer way implies are left out. The file is parsed, not run.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- stages: made by `python -m delivery.picture` -->", "<!-- end of stages -->"
WAIT = "after"


def mermaid(source: str) -> str:
    """The stages of a program's text as a mermaid flow chart."""
    tuples: dict[str, ast.expr] = {}
    needs: dict[str, set[str]] = {}
    waits: dict[str, set[str]] = {}
    for statement in ast.parse(source).body:
        if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
            continue
        name = statement.targets[0].id
        if isinstance(statement.value, ast.Tuple):
            tuples[name] = statement.value
        else:
            given = _used(statement.value, tuples, waits=False) & needs.keys()
            waits[name] = _used(statement.value, tuples, waits=True) & needs.keys() - given
            needs[name] = given | waits[name]
    lines = ["```mermaid", "flowchart TD"]
    for name in needs:
        lines.append(f"    {name}[{name.replace('_', ' ')}]")
        direct = needs[name] - set().union(*(_before(other, needs) for other in needs[name]))
        lines += [
            f"    {other} {'-.->' if other in waits[name] else '-->'} {name}" for other in needs if other in direct
        ]
    return "\n".join([*lines, "```"])


def _before(stage: str, needs: Mapping[str, set[str]]) -> set[str]:
    """Every stage that has to be there before this one: an arrow from it would only repeat a longer way."""
    return needs[stage].union(*(_before(other, needs) for other in needs[stage]))


def _used(value: ast.expr, tuples: Mapping[str, ast.expr], *, waits: bool) -> set[str]:
    return set(_names(value, tuples, waits=waits, inside=False))


def _names(node: ast.AST, tuples: Mapping[str, ast.expr], *, waits: bool, inside: bool) -> Iterator[str]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == WAIT:
        inside = True
    if isinstance(node, ast.Name) and inside == waits:
        if node.id in tuples:
            yield from _names(tuples[node.id], tuples, waits=waits, inside=inside)
        else:
            yield node.id
    for child in ast.iter_child_nodes(node):
        yield from _names(child, tuples, waits=waits, inside=inside)


def current(document: str, drawn: str) -> str:
    """The document with the picture between its two marks."""
    before, rest = document.split(BEGIN)
    return f"{before}{BEGIN}\n{drawn}\n{END}{rest.split(END)[1]}"


def main(arguments: Sequence[str]) -> int:
    """Writes the picture, or with --check only says whether it is current; returns the exit status."""
    document = DOCUMENT.read_text()
    wanted = current(document, mermaid((ROOT / "__main__.py").read_text()))
    if "--check" not in arguments:
        DOCUMENT.write_text(wanted)
        return 0
    if wanted != document:
        print("docs/architecture.md shows other stages than __main__.py has\nHINT: run python -m delivery.picture")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
