"""PostgreSQL's access lists in words. Pure.

An entry reads ``grantee=letters/grantor``; no grantee is PUBLIC, a letter with ``*`` may be passed on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

NOBODY = "nobody but the owner"
PUBLIC = "PUBLIC"
_WORDS = {
    "r": "SELECT",
    "a": "INSERT",
    "w": "UPDATE",
    "d": "DELETE",
    "D": "TRUNCATE",
    "x": "REFERENCES",
    "t": "TRIGGER",
    "m": "MAINTAIN",
    "X": "EXECUTE",
    "U": "USAGE",
    "C": "CREATE",
    "c": "CONNECT",
    "T": "TEMPORARY",
    "s": "SET",
    "A": "ALTER SYSTEM",
}
_ENTRY = re.compile(r'(?P<grantee>"(?:[^"]|"")*"|[^"=]*)=(?P<letters>[a-zA-Z*]*)/(?P<grantor>.*)')


def describe(granted: Sequence[str], initial: Sequence[str]) -> str:
    """Say what is granted to whom; what the owner starts with (``initial``) goes without saying.

    An owner who lost something is named with what is left.
    """
    own = {entry for entry in initial if not entry.startswith("=")}
    words = [_in_words(entry) for entry in granted if entry not in own]
    kept = {_grantee(entry) for entry in granted}
    words += [f"{_grantee(entry)} itself nothing" for entry in own if _grantee(entry) not in kept]
    return "; ".join(sorted(words)) or NOBODY


def _grantee(entry: str) -> str:
    return entry.rpartition("/")[0].rpartition("=")[0] or PUBLIC


def _in_words(entry: str) -> str:
    match = _ENTRY.fullmatch(entry)
    if match is None:
        return entry
    letters = re.findall(r"([a-zA-Z])(\*?)", match["letters"])
    words = ", ".join(
        _WORDS.get(letter, letter) + (" with grant option" if option else "") for letter, option in letters
    )
    return f"{match['grantee'] or PUBLIC} {words}"
