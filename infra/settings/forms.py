"""The forms that a text value can have: each check returns what is allowed when the value is not, else None. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import datetime

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE)
_STACK = re.compile(r"[a-z][a-z0-9-]{0,29}")
CRON_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7))
REPOSITORIES = ("volume", "s3", "sftp")
_LONGEST_MONTHS = {1: 31, 2: 29, 3: 31, 4: 30, 5: 31, 6: 30, 7: 31, 8: 31, 9: 30, 10: 31, 11: 30, 12: 31}


def is_stack_name(name: str) -> bool:
    """Whether Docker, DNS, Patroni and pgBackRest all take the name."""
    return bool(_STACK.fullmatch(name)) and not name.endswith("-")


def is_address(text: str) -> bool:
    """Whether the text is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def address(text: str) -> str | None:
    """An IPv4 address: ports are bound to it, and it stands before a colon in endpoints and URIs."""
    return None if is_address(text) and ":" not in text else "must be an IPv4 address"


def hostname(text: str) -> str | None:
    """A DNS name or an IP address."""
    # A text of digits and dots only is meant as an address: "10.0.0" must not pass as a name.
    looks_numeric = bool(re.fullmatch(r"[\d.]+", text))
    named = len(text) <= 253 and not looks_numeric and all(_LABEL.fullmatch(label) for label in text.split("."))
    return None if named or is_address(text) else "must be a DNS name without wildcard, or an IP address"


def time_zone(text: str) -> str | None:
    """A zone of the time zone database."""
    import zoneinfo  # reads the tz database: only when asked

    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return "must be a zone of the time zone database"
    return None


def cron(text: str) -> str | None:
    """Five cron fields of numbers, lists, ranges and steps that come true at least once."""
    parts = text.split()
    if len(parts) != len(CRON_FIELDS):
        return f"must be five cron fields (minute hour day month weekday), not {len(parts)}"
    fields: list[set[int]] = []
    for part, (name, low, high) in zip(parts, CRON_FIELDS, strict=True):
        values = cron_field(part, low, high)
        if values is None:
            return f"{name} {part!r} must be made of *, numbers from {low} to {high}, lists, ranges and /steps"
        fields.append(values)
    _, _, days, months, _ = fields
    if parts[2] != "*" and parts[4] != "*":
        return "must name a day of the month or a day of the week, not both"
    if parts[4] == "*" and min(days) > max(_LONGEST_MONTHS[month] for month in months):
        return "must name a day that its months have"
    return None


def cron_field(text: str, low: int, high: int) -> set[int] | None:
    """Return the numbers that a cron field stands for, or None when it is not one."""
    values: set[int] = set()
    for item in text.split(","):
        match = re.fullmatch(r"(?:(\*)|(\d+)(?:-(\d+))?)(?:/(\d+))?", item)
        if match is None:
            return None
        every, first, last, step = match.groups()
        if every:
            start, end = low, high
        else:
            start = int(first)
            end = int(last) if last else (high if step else start)
        if not low <= start <= end <= high or (step is not None and not 1 <= int(step) <= high):
            return None
        values.update(range(start, end + 1, int(step or 1)))
    return values


def word(text: str) -> str | None:
    """One line without blanks: it stands behind a "key=" in a file."""
    return None if re.fullmatch(r"[!-~]{1,255}", text) else "must be 1 to 255 printable ASCII characters without blanks"


def path(text: str) -> str | None:
    """A folder, from the root."""
    plain = re.fullmatch(r"(/[A-Za-z0-9._-]+)+", text) and not {".", ".."} & set(text.split("/"))
    return None if plain else "must be a path from the root of letters, digits, dots, dashes and underscores"


def repository(text: str) -> str | None:
    """A kind of repository."""
    return None if text in REPOSITORIES else "must be made of volume, s3 and sftp"


def certificate(text: str) -> str | None:
    """PEM of a certificate."""
    return None if text.startswith("-----BEGIN CERTIFICATE-----\n") else "must be a certificate as PEM"


def private_key(text: str) -> str | None:
    """PEM of a private key, as ssh-keygen writes it."""
    return None if re.match(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n", text) else "must be a private key as PEM"


def fingerprint(text: str) -> str | None:
    """SHA-256 of a host key in base64 without padding, as OpenSSH shows it."""
    return None if re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}", text) else "must be SHA256: and 43 characters of base64"


def stack(text: str) -> str | None:
    """A stack's name."""
    return None if is_stack_name(text) else "must be a stack's name"


def moment(text: str) -> str | None:
    """A time that means the same everywhere: without an offset it would mean another one on every machine."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        return "must be a time with its offset from UTC, such as 2026-05-01 12:00:00+09"
    return None


def restore_point(text: str) -> str | None:
    """A name that pg_create_restore_point takes."""
    fits = 0 < len(text.encode()) < 64 and text.isprintable() and text == text.strip()
    return None if fits else "must be a name of 1 to 63 bytes"


def lsn(text: str) -> str | None:
    """A position in the WAL."""
    fits = re.fullmatch(r"[0-9A-F]{1,8}/[0-9A-F]{1,8}", text, re.IGNORECASE)
    return None if fits else "must be a position in the WAL, such as 0/5000028"


def passphrase(text: str) -> str | None:
    """One line: it stands in a configuration file."""
    return None if text and text.isprintable() and text == text.strip() else "must be a text of one line"


FORMS: dict[str, Callable[[str], str | None]] = {
    "address": address,
    "hostname": hostname,
    "time_zone": time_zone,
    "cron": cron,
    "word": word,
    "path": path,
    "repository": repository,
    "certificate": certificate,
    "private_key": private_key,
    "fingerprint": fingerprint,
    "stack": stack,
    "moment": moment,
    "restore_point": restore_point,
    "lsn": lsn,
    "passphrase": passphrase,
}
EXAMPLES = {
    "address": "127.0.0.1",
    "hostname": "db.example.com",
    "time_zone": "Europe/Berlin",
    "cron": '"0 0 * * *"',
    "word": "pipe-backups",
    "path": "/pgbackrest",
    "repository": "volume, s3",
    "certificate": "-----BEGIN CERTIFICATE-----…",
    "private_key": "-----BEGIN OPENSSH PRIVATE KEY-----…",
    "fingerprint": "SHA256:…",
    "stack": "prod",
    "moment": '"2026-05-01 12:00:00+09"',
    "restore_point": "before_release",
    "lsn": "0/5000028",
    "passphrase": "…",
}
