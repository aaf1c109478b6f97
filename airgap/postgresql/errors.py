"""PostgreSQL's errors as one sentence: what was attempted, the cause in the server's words, and what to do. Pure.

The parameters of a statement and the password never appear here: neither the statement's text nor the DSN is shown.
"""

from __future__ import annotations

from typing import Final

import psycopg

from airgap.base.errors import ProviderError

# SQLSTATE -> what to do. Codes without an entry are reported as they are: a guess would mislead.
HINTS: Final[dict[str, str]] = {
    "25006": "the server is a standby or read-only: connect to the primary, through the read-write endpoint",
    "28000": "check the role, and pg_hba.conf for this host, database and TLS",
    "28P01": "check username and password of the provider",
    "2BP01": "remove what depends on it first, or let those resources be deleted before this one (depends_on)",
    "3D000": "create the database first, or let this resource depend on the one that does",
    "3F000": "create the schema first, or let this resource depend on the one that does",
    "42501": "connect as a superuser, or as the owner of the object",
    "42703": "check the names of the columns",
    "42704": "create it first, or let this resource depend on the one that does; names are case-sensitive",
    "42710": "take it over with `pulumi import`, or choose another name",
    "42883": 'check the name, and give the argument types if there are several of that name: "f(text, integer)"',
    "42P01": "create it first, or let this resource depend on the one that does; names are case-sensitive",
    "42P04": "take it over with `pulumi import`, or choose another name",
    "42P06": "set ifNotExists, take it over with `pulumi import`, or choose another name",
    "0LP01": "grant options are for roles: PUBLIC cannot pass privileges on",
    "53300": "raise max_connections of the server, or lower maxConnections of the provider",
    "55006": "end the sessions that use it, then try again",
    "55P03": "another session holds a lock on it: see pg_stat_activity and pg_locks, then try again",
    "57P01": "the server went away in the middle of the work: try again",
    "57P03": "the server is starting or stopping: try again",
    "58P01": "install the package that brings this extension on every server of the cluster",
    "0A000": "",
}
_NOT_INSTALLED: Final = "install the package that brings this extension on every server of the cluster"

# The beginning of libpq's own words, which carry no SQLSTATE -> what to do.
_CONNECT_HINTS: Final[tuple[tuple[str, str], ...]] = (
    ("password authentication failed", "check username and password of the provider"),
    ("no password supplied", "set password of the provider"),
    ("root certificate file", "sslrootcert must be the path of a PEM file that the provider can read"),
    (
        "certificate",
        "check that sslrootcert holds the authority that signed the server's certificate, and that host is in it",
    ),
    ("does not support SSL", 'enable TLS on the server, or set sslmode to "disable" where the network is trusted'),
    ("no pg_hba.conf entry", "allow this role, database and address in pg_hba.conf"),
    ("does not exist", "create it first, or check database and username of the provider"),
    ("Connection refused", "check that the server runs, and host and port of the provider"),
    ("could not translate host name", "check host of the provider"),
    ("timeout", "check that the server can be reached, and host, port and connectTimeout of the provider"),
    ("too many", "raise max_connections of the server, or lower maxConnections of the provider"),
    ("server closed the connection", "no server answers behind this address: check the cluster behind the proxy"),
    ("starting up", "the server is starting: try again"),
)


def explain(error: psycopg.Error, doing: str) -> ProviderError:
    """The sentence for a statement that failed while `doing` (`grant SELECT on table "users" to role "app"`)."""
    primary = error.diag.message_primary or _first_line(str(error)) or type(error).__name__
    detail = error.diag.message_detail
    code = error.sqlstate
    message = f"could not {doing}: {primary}"
    if detail:
        message += f" ({detail.rstrip('.').replace(chr(10), '; ')})"
    if code:
        message += f" [SQLSTATE {code}]"
    hint = HINTS.get(code or "") or error.diag.message_hint
    if code == "0A000" and "extension" in primary and "not available" in primary:
        hint = _NOT_INSTALLED
    return ProviderError(message, hint or None)


def explain_connection(error: psycopg.Error, host: str, port: int, database: str, username: str) -> ProviderError:
    """The sentence for a connection that could not be made; libpq reports those in words only."""
    raw = error.pgconn.error_message.decode(errors="replace") if error.pgconn else str(error)
    said = raw.rpartition(" failed: ")[2] if " failed: " in raw else raw
    cause = _first_line(said).removeprefix("FATAL:").strip()
    hint = next((hint for words, hint in _CONNECT_HINTS if words.lower() in cause.lower()), None)
    message = f'could not connect to database "{database}" at {host}:{port} as "{username}": {cause}'
    return ProviderError(message, hint)


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].strip()
