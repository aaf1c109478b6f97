"""The places that hold backups and WAL, as pgBackRest's options and the files that these name (pure).

Two containers of a stack use them. The scheduler makes and expires backups; the server adds WAL and reads, on behalf of
members, with an identity of its own where the place knows two. A restore only reads, one place of another stack.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from infra.paths import CONFIG_DIR, REPOSITORY_DIR
from infra.settings import RestoreSettings, S3Place, Settings, SftpPlace

Reader = Literal["scheduler", "server"]

S3_AUTHORITY, SFTP_KEY = "s3-ca.pem", "sftp-key.pem"


def numbered(settings: Settings) -> dict[int, str]:
    """Return the kind of each repository by pgBackRest's number of it."""
    return dict(enumerate(settings.backup.repositories, start=1))


def places(settings: Settings) -> list[str]:
    """Return where each repository is, in words that change when it is another place."""
    s3, sftp = settings.s3, settings.sftp
    words = {
        "volume": "volume",
        "s3": f"s3://{s3.endpoint}:{s3.port}/{s3.bucket}{s3.path}",
        "sftp": f"sftp://{sftp.host}:{sftp.port}{sftp.path}",
    }
    return [words[kind] for kind in numbered(settings).values()]


@dataclass(frozen=True)
class Reach:
    """How one who may reach the places beyond the engine does."""

    s3: S3Place
    sftp: SftpPlace


def options(settings: Settings, passphrase: str, reader: Reader) -> dict[str, str]:
    """Return where each repository is, how it is encrypted and what is kept in it."""
    found: dict[str, str] = {}
    reach = _reach(settings, reader)
    for number, kind in numbered(settings).items():
        own = _PLACES[kind](reach) | _kept(settings, passphrase)
        found |= {f"repo{number}-{name}": value for name, value in own.items()}
    return found


def files(settings: Settings, reader: Reader) -> dict[str, str]:
    """Return the files beside ``pgbackrest.conf`` that the options name."""
    return _files(settings.backup.repositories, _reach(settings, reader))


def to_read(restore: RestoreSettings) -> tuple[dict[str, str], dict[str, str]]:
    """Return the options and the files by which a restore reads its source's repository, the only one that it knows."""
    reach = Reach(restore.s3, restore.sftp)
    found = {f"repo1-{name}": value for name, value in _PLACES[restore.repository](reach).items()}
    return found, _files([restore.repository], reach)


def access(settings: Settings, passphrase: str) -> dict[str, Any]:
    """Return all that a restore has to know of a stack's repositories; what ``s3`` and ``sftp`` hold are settings.

    By the identity of what serves the members, which reads everything and can change no backup.
    """
    reach = asdict(_reach(settings, "server"))
    known = {name: asdict(kind()) for name, kind in (("s3", S3Place), ("sftp", SftpPlace))}
    given = {
        kind: {name: reach[kind][name] for name, default in known[kind].items() if reach[kind][name] != default}
        for kind in settings.backup.repositories
        if kind in known
    }
    return {"passphrase": passphrase, "repositories": list(settings.backup.repositories)} | given


def _reach(settings: Settings, reader: Reader) -> Reach:
    s3, sftp = settings.s3, settings.sftp
    if reader == "server" and s3.archive_access_key and s3.archive_secret_key:
        s3 = replace(s3, access_key=s3.archive_access_key, secret_key=s3.archive_secret_key)
    if reader == "server" and sftp.archive_user and sftp.archive_private_key:
        sftp = replace(sftp, user=sftp.archive_user, private_key=sftp.archive_private_key)
    return Reach(s3, sftp)


def _files(kinds: Sequence[str], reach: Reach) -> dict[str, str]:
    found: dict[str, str] = {}
    if "s3" in kinds and reach.s3.ca_certificate:
        found[S3_AUTHORITY] = reach.s3.ca_certificate
    if "sftp" in kinds:
        found[SFTP_KEY] = reach.sftp.private_key or ""
    # What is read from a terminal or a pipe loses its last line's end, and a key without one is none to OpenSSL.
    return {name: text.rstrip("\n") + "\n" for name, text in found.items()}


def _kept(settings: Settings, passphrase: str) -> dict[str, str]:
    return {
        "cipher-type": "aes-256-cbc",
        "cipher-pass": passphrase,
        # A full backup goes once a newer one is older than the window; WAL goes with the last backup that needs it.
        "retention-full-type": "time",
        "retention-full": str(settings.backup.retention_days),
        "bundle": "y",
        "block": "y",
    }


def _volume(reach: Reach) -> dict[str, str]:
    del reach
    return {"path": REPOSITORY_DIR}


def _s3(reach: Reach) -> dict[str, str]:
    s3 = reach.s3
    authority = {"storage-ca-file": f"{CONFIG_DIR}/{S3_AUTHORITY}"} if s3.ca_certificate else {}
    return {
        "type": "s3",
        "path": s3.path,
        "s3-endpoint": s3.endpoint or "",
        "storage-port": str(s3.port),
        "s3-region": s3.region,
        "s3-bucket": s3.bucket or "",
        "s3-uri-style": s3.uri_style,
        "s3-key": s3.access_key or "",
        "s3-key-secret": s3.secret_key or "",
        **authority,
    }


def _sftp(reach: Reach) -> dict[str, str]:
    sftp = reach.sftp
    return {
        "type": "sftp",
        "path": sftp.path,
        "sftp-host": sftp.host or "",
        "sftp-host-port": str(sftp.port),
        "sftp-host-user": sftp.user or "",
        "sftp-private-key-file": f"{CONFIG_DIR}/{SFTP_KEY}",
        "sftp-host-key-check-type": "fingerprint",
        "sftp-host-key-hash-type": "sha256",
        "sftp-host-fingerprint": fingerprint_digits(sftp.host_fingerprint or ""),
    }


def fingerprint_digits(text: str) -> str:
    """Translate OpenSSH's form of a fingerprint (base64 without padding) into pgBackRest's (hexadecimal)."""
    return base64.b64decode(text.removeprefix("SHA256:") + "=").hex()


_PLACES: dict[str, Callable[[Reach], dict[str, str]]] = {"volume": _volume, "s3": _s3, "sftp": _sftp}
