"""Who may do what, as it should be and as it is: the sentences about the difference. Pure.

What should be comes from the access matrix in this form:

``owners``      the roles that may own something; what they own they may use
``roles``       role -> ``attributes`` (LOGIN ...), ``memberOf``; ``others`` the same for roles that need not be there
``objects``     "table pipe.users" -> role -> privileges, ``SELECT (email)`` for one column; "function cron.*" for all
``defaults``    "table pipe" -> role -> privileges on what the other keys do not name

What is comes from PostgreSQL, role by role. A superuser may do everything and is not looked at any further.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provider.catalog import months

PUBLIC = "public"
UNLIKE = "which the matrix does not allow"
_COLUMN = re.compile(r"(?P<privilege>[A-Z ]+) \((?P<column>.+)\)")
# Of these the kind goes without saying.
_PLAIN = ("table", "column", "function", "sequence")

Expected = Mapping[str, Any]


@dataclass(frozen=True)
class Right:
    """What a role may do with one object; ``column`` objects are ``schema.table.column``."""

    kind: str
    object: str
    owner: str
    privileges: tuple[str, ...]


@dataclass(frozen=True)
class Role:
    """A role as it is."""

    name: str
    attributes: frozenset[str]
    member_of: frozenset[str]
    is_bootstrap: bool = False

    @property
    def is_superuser(self) -> bool:
        """Whether asking what it may do makes sense."""
        return "SUPERUSER" in self.attributes


def checked(roles: Iterable[Role]) -> list[str]:
    """Return the roles to ask for, PUBLIC first: what everybody may do is not told of each."""
    return [PUBLIC, *sorted(role.name for role in roles if not role.is_superuser)]


def predefined(expected: Expected, role: str) -> list[str]:
    """Return the predefined roles whose rights a role is meant to have."""
    return sorted(name for name in _meant(expected, role) if name.startswith("pg_"))


def violations(expected: Expected, roles: Sequence[Role], held: Mapping[str, Sequence[Right]]) -> list[str]:
    """Say, a sentence each, what is not as it should be."""
    found = list(_about_roles(expected, roles))
    of_public = {(right.kind, right.object): set(right.privileges) for right in held[PUBLIC]}
    for role, rights in held.items():
        groups = _groups(roles, role)
        for right in rights:
            if right.owner == role and role not in expected["owners"]:
                found.append(f"role {role} owns {_named(right)}, {UNLIKE}")
            elif right.owner not in groups:
                given = set() if role == PUBLIC else of_public.get((right.kind, right.object), set())
                found += _too_much(role, right, given | _allowed(expected, groups, right))
        found += _too_little(expected, role, rights)
    return found


def _about_roles(expected: Expected, roles: Iterable[Role]) -> Iterator[str]:
    known = expected["others"] | expected["roles"]
    there = {role.name: role for role in roles if not (role.is_bootstrap and role.name not in known)}
    for name in sorted(expected["roles"].keys() - there.keys()):
        yield f"role {name} does not exist, which the matrix names"
    for name, role in sorted(there.items()):
        if name not in known:
            yield f"role {name} exists, which the matrix does not name"
            continue
        attributes, member_of = (frozenset(known[name][what]) for what in ("attributes", "memberOf"))
        for attribute in sorted(role.attributes - attributes):
            yield f"role {name} has the attribute {attribute}, {UNLIKE}"
        for attribute in sorted(attributes - role.attributes):
            yield f"role {name} does not have the attribute {attribute}, which the matrix gives it"
        for group in sorted(role.member_of - member_of):
            yield f"role {name} is a member of {group}, {UNLIKE}"
        for group in sorted(member_of - role.member_of):
            yield f"role {name} is not a member of {group}, which the matrix makes it"


def _groups(roles: Iterable[Role], role: str) -> set[str]:
    """Return a role and all whose rights it inherits as things are; a membership that is wrong is told by itself."""
    inherited = {
        each.name: {group.partition(" ")[0] for group in each.member_of if "WITHOUT INHERIT" not in group}
        for each in roles
    }
    return _closure(inherited, role)


def _meant(expected: Expected, role: str) -> set[str]:
    known = expected["others"] | expected["roles"]
    return _closure({name: set(spec["memberOf"]) for name, spec in known.items()}, role)


def _closure(groups: Mapping[str, set[str]], role: str) -> set[str]:
    found, new = set[str](), {role}
    while new:
        found |= new
        new = {group for each in new for group in groups.get(each, ())} - found
    return found


def _allowed(expected: Expected, groups: set[str], right: Right) -> set[str]:
    kind, name, column = right.kind, right.object, ""
    if kind == "column":
        kind, (name, column) = "table", name.rsplit(".", 1)
    schema = name.partition(".")[0]
    objects = expected["objects"]
    entries = [objects[key] for key in (f"{kind} {name}", f"{kind} {schema}.*") if key in objects]
    if f"{kind} {name}" not in objects and months.table_of(name) is None:
        defaults = expected["defaults"]
        entries += [defaults[key] for key in (f"{kind} {schema}", f"{kind} ") if key in defaults]
    words = {word for entry in entries for role in groups | {PUBLIC} for word in entry.get(role, ())}
    matches = {word: _COLUMN.fullmatch(word) for word in words}
    return {
        match["privilege"] if match else word
        for word, match in matches.items()
        if not match or match["column"] == column
    }


def _too_much(role: str, right: Right, allowed: set[str]) -> Iterator[str]:
    if extra := [privilege for privilege in right.privileges if privilege not in allowed]:
        who = "PUBLIC" if role == PUBLIC else f"role {role}"
        yield f"{who} may {', '.join(extra)} {_named(right)}, {UNLIKE}"


def _too_little(expected: Expected, role: str, rights: Iterable[Right]) -> Iterator[str]:
    held = {(right.kind, right.object): set(right.privileges) for right in rights}
    for key, entry in expected["objects"].items():
        kind, _, name = key.partition(" ")
        whole = held.get((kind, name), set())
        for word in entry.get(role, ()):
            match = _COLUMN.fullmatch(word)
            if match is None:
                right, has = Right(kind, name, "", (word,)), word in whole
            else:
                column = f"{name}.{match['column']}"
                right = Right("column", column, "", (match["privilege"],))
                has = match["privilege"] in whole | held.get(("column", column), set())
            if not has and not name.endswith(".*"):
                yield f"role {role} may not {right.privileges[0]} {_named(right)}, which the matrix allows"


def _named(right: Right) -> str:
    return right.object if right.kind in _PLAIN else f"on {right.kind} {right.object}"
