"""What `pulumi preview --json` says, as a plan of changes. Pure: parsed JSON in, dataclasses out.

The engine reports a replacement as several steps (create-replacement, replace, delete-replaced): here it is one
change for each resource. Secrets reach this module as the engine's own "[secret]"; names that sound like one are hidden
as well.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from delivery.findings import Finding

Json = Mapping[str, Any]

SECRET = "[secret]"
# The key under which the engine serializes a secret that was not blinded (sig.Key in its SDK).
SECRET_SIGNATURE = "4dabf18193072939515e22adb298388d"
SENSITIVE_NAME = re.compile(r"passw|passphrase|secret|token|private|_key$|[a-z]Key$|keyPem|credential", re.IGNORECASE)
MAX_VALUE_LENGTH = 60
# How the provider names a migration that is pending; behind it may stand how far it has got.
_PENDING = re.compile(r"pending: (.+?\.sql)(?:, .+)?$")

# The kinds of change, the gravest first: also the order in which a reader sees them.
REPLACE, DELETE, UPDATE, CREATE, IMPORT, SAME = "replace", "delete", "update", "create", "import", "same"
GRAVITY = (REPLACE, DELETE, UPDATE, CREATE, IMPORT, SAME)
_KIND_OF_OP = {
    "replace": REPLACE,
    "create-replacement": REPLACE,
    "delete-replaced": REPLACE,
    "delete": DELETE,
    "discard": DELETE,
    "update": UPDATE,
    "create": CREATE,
    "import": IMPORT,
    "import-replacement": REPLACE,
    "same": SAME,
}


@dataclass(frozen=True)
class PropertyChange:
    """One property that differs. `old` and `new` are None where the value is absent, secret, unknown or too long."""

    path: str
    old: str | None = None
    new: str | None = None


@dataclass(frozen=True)
class Change:
    """What happens to one resource."""

    kind: str
    type: str
    name: str
    properties: tuple[PropertyChange, ...] = ()
    replaced_for: tuple[str, ...] = ()

    @property
    def holds_data(self) -> bool:
        """Whether the resource is one whose removal loses data."""
        volume = self.type.startswith("docker:") and self.type.lower().endswith(":volume")
        # A volume of configuration is written anew by the same update.
        return volume and not self.name.endswith("-config")


@dataclass(frozen=True)
class Statement:
    """SQL that `up` would run: a migration not applied yet, or a repeatable file.

    `before` is the text that a repeatable file had last; None where it is new.
    """

    file: str
    sql: str
    repeatable: bool
    before: str | None = None


@dataclass(frozen=True)
class Setting:
    """One leaf of the configuration that differs from the last update's. None means that the key is absent there."""

    key: str
    old: str | None
    new: str | None


@dataclass(frozen=True)
class Plan:
    """A preview, reduced to what a reviewer must know."""

    stack: str
    changes: tuple[Change, ...] = ()
    statements: tuple[Statement, ...] = ()
    settings: tuple[Setting, ...] = ()
    unchanged: int = 0
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    """What the providers warn of, such as a restore drill that failed or is overdue."""
    findings: tuple[Finding, ...] = ()
    """What the linter says of the pending migrations."""
    first_update: bool = False

    @property
    def migrations(self) -> list[tuple[str, str]]:
        """Path and text of each pending migration."""
        return [(statement.file, statement.sql) for statement in self.statements if not statement.repeatable]

    def of(self, *kinds: str) -> tuple[Change, ...]:
        """The changes of these kinds, in the order given."""
        return tuple(change for kind in kinds for change in self.changes if change.kind == kind)


def plan(stack: str, digest: Json, history: Sequence[Json] | None = None) -> Plan:
    """Reduces a preview to a plan.

    `history` is what `pulumi stack history --json` prints, the newest update first; None when it is not known, in which
    case no settings are compared. Raises nothing on unknown fields: a newer engine may add some.
    """
    steps: dict[str, list[Json]] = {}
    for step in cast("list[Json]", digest.get("steps") or []):
        steps.setdefault(str(step["urn"]), []).append(step)
    changes = [_change(urn, of_one) for urn, of_one in steps.items()]
    components = {urn for urn, of_one in steps.items() if all(_is_component(step) for step in of_one)}
    shown_changes = [c for urn, c in zip(steps, changes, strict=True) if c.kind != SAME and urn not in components]
    last = next((entry for entry in history or [] if entry.get("result") == "succeeded"), None)
    return Plan(
        stack=stack,
        changes=tuple(sorted(shown_changes, key=_order)),
        statements=tuple(sorted(_statements(steps, _pending(digest)), key=lambda s: (s.repeatable, s.file))),
        settings=() if last is None else tuple(_settings(last, digest)),
        # Without --show-sames the steps leave out most of what stays as it is; the summary counts all of it.
        unchanged=int(cast("Json", digest.get("changeSummary") or {}).get(SAME, 0)),
        errors=tuple(_said(digest, "error")),
        # Several resources, or several steps of one, may warn of the same.
        warnings=tuple(dict.fromkeys(text.removeprefix("warning: ") for text in _said(digest, "warning"))),
        first_update=history is not None and last is None,
    )


def _is_component(step: Json) -> bool:
    """A component only groups: what happens to its children is what happens."""
    state = cast("Json", step.get("newState") or step.get("oldState") or {})
    return state.get("custom") is False


def _order(change: Change) -> tuple[int, bool, str, str]:
    return GRAVITY.index(change.kind), not change.holds_data, change.type, change.name


def _change(urn: str, steps: Sequence[Json]) -> Change:
    kinds = {_KIND_OF_OP.get(str(step.get("op")), SAME) for step in steps}
    kind = next(kind for kind in GRAVITY if kind in kinds)
    # urn:pulumi:<stack>::<project>::<parent type>$<type>::<name>
    parts = urn.split("::", 3)
    type_ = parts[2].rsplit("$", 1)[-1]
    name = parts[3]
    if kind not in (UPDATE, REPLACE):
        return Change(kind, type_, name)
    paths: dict[str, None] = {}
    reasons: dict[str, None] = {}
    old: Json = {}
    new: Json = {}
    for step in steps:
        paths |= dict.fromkeys(cast("Json", step.get("detailedDiff") or {}))
        paths |= dict.fromkeys(cast("list[str]", step.get("diffReasons") or []))
        reasons |= dict.fromkeys(cast("list[str]", step.get("replaceReasons") or []))
        old = _inputs(step, "oldState") or old
        new = _inputs(step, "newState") or new
    if not paths:
        paths = dict.fromkeys(key for key in sorted({*old, *new}) if old.get(key) != new.get(key))
    properties = tuple(item for path in _without_parents(list(paths)) for item in _properties(path, old, new))
    return Change(kind, type_, name, properties, tuple(reasons))


def _inputs(step: Json, state: str) -> Json:
    return cast("Json", (step.get(state) or {}).get("inputs") or {})


def _without_parents(paths: Sequence[str]) -> list[str]:
    """Drops `uploads` where `uploads[0].content` is there too: the engine may list both."""
    return [path for path in paths if not any(other.startswith((f"{path}.", f"{path}[")) for other in paths)]


def _properties(path: str, old: Json, new: Json) -> Iterator[PropertyChange]:
    yield from _leaves(_named(path, new) or _named(path, old) or path, _at(old, path), _at(new, path), path)


def _leaves(name: str, before: Any, after: Any, path: str = "") -> Iterator[PropertyChange]:
    """The change of a value; one for each leaf that differs where it is an object on both sides."""
    if isinstance(before, dict) and isinstance(after, dict):
        left, right = cast("Json", before), cast("Json", after)
        for key in sorted({*left, *right}):
            if left.get(key) != right.get(key):
                yield from _leaves(f"{name}.{key}", left.get(key), right.get(key))
        return
    hidden = SENSITIVE_NAME.search(path or name)
    yield PropertyChange(name, None if hidden else shown(before), None if hidden else shown(after))


def _named(path: str, inputs: Json) -> str | None:
    """`labels[pipe.config]` for `labels[1].value`: the engine counts, a reader wants the label's or the file's name."""
    match = re.fullmatch(r"(\w+)\[(\d+)\]\.\w+", path)
    element = _at(inputs, path.rsplit(".", 1)[0]) if match else None
    if match is None or not isinstance(element, dict):
        return None
    known = cast("Json", element)
    return next((f"{match[1]}[{known[key]}]" for key in ("label", "file", "name") if shown(known.get(key))), None)


def _at(value: Any, path: str) -> Any:
    """The value at a property path such as `networksAdvanced[0].aliases`; None where there is none."""
    for key, index, quoted in re.findall(r'([^.\[\]"]+)(?![^\[]*\])|\[(\d+)\]|\["([^"]*)"\]', path):
        if index:
            value = value[int(index)] if isinstance(value, list) and int(index) < len(value) else None
        else:
            value = cast("dict[str, Any]", value).get(key or quoted) if isinstance(value, dict) else None
    return value


def shown(value: Any) -> str | None:
    """A short value as text, or None where it must not or cannot be shown on one line."""
    if value is None or isinstance(value, (dict, list)) or SECRET_SIGNATURE in str(value) or SECRET in str(value):
        return None
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    # The engine's stand-in for a value that is known only after the update is a fixed UUID.
    if text == "04da6b54-80e4-46f7-96ec-b56ff0331ba9":
        return "(known after the update)"
    return text if len(text) <= MAX_VALUE_LENGTH and "\n" not in text else None


def _statements(steps: Mapping[str, Sequence[Json]], pending: Collection[str]) -> Iterator[Statement]:
    for of_one in steps.values():
        for step in of_one:
            new = cast("Json", step.get("newState") or {})
            type_ = str(new.get("type", ""))
            if _KIND_OF_OP.get(str(step.get("op"))) not in (CREATE, UPDATE, REPLACE):
                continue
            if type_ == "pipe:sql:Migrations":
                for one in cast("Sequence[Json]", _inputs(step, "newState").get("files") or ()):
                    if one.get("file") in pending:
                        yield Statement(str(one["file"]), str(one.get("sql", "")), repeatable=False)
                break
            if type_ == "pipe:sql:Repeatables":
                yield from _repeatables(_inputs(step, "oldState"), _inputs(step, "newState"))
                break


def _repeatables(old: Json, new: Json) -> Iterator[Statement]:
    """The repeatable files whose text is another one; with another trigger, as a migration is, all of them."""
    known = {one.get("name"): one for one in cast("Sequence[Json]", old.get("files") or ())}
    every = any(old.get(name) != new.get(name) for name in ("owner", "triggers"))
    for one in cast("Sequence[Json]", new.get("files") or ()):
        was = known.get(one.get("name"))
        if every or was != one:
            before = None if was is None else str(was.get("sql", ""))
            yield Statement(str(one.get("file", "?")), str(one.get("sql", "")), repeatable=True, before=before)


def _pending(digest: Json) -> set[str]:
    """The files that the provider names, by the database's own history: the state may not know what was applied."""
    found = (_PENDING.match(text) for text in _diagnostics(digest, "info"))
    return {match[1] for match in found if match}


def _settings(last: Json, digest: Json) -> Iterator[Setting]:
    from delivery.settings import flatten_digest, flatten_history

    old = flatten_history(cast("Json", last.get("config") or {}))
    new = flatten_digest(cast("Mapping[str, str]", digest.get("config") or {}))
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        # An object that holds a secret comes without its values from the history: there is nothing to compare with.
        opaque = any(key == top or key.startswith(f"{top}.") for top, value in old.items() if value == SECRET)
        if before == after or opaque:
            continue
        hidden = SECRET in (before, after) or SENSITIVE_NAME.search(key.rsplit(":", 1)[-1])
        yield Setting(
            key,
            None if before is None else (SECRET if hidden else before),
            None if after is None else (SECRET if hidden else after),
        )


def _said(digest: Json, severity: str) -> Iterator[str]:
    return (text for text in _diagnostics(digest, severity) if text)


def _diagnostics(digest: Json, severity: str) -> Iterator[str]:
    for diagnostic in cast("list[Json]", digest.get("diagnostics") or []):
        if diagnostic.get("severity") == severity:
            yield re.sub(r"<\{%.*?%\}>", "", str(diagnostic.get("message", ""))).strip()
