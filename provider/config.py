"""The provider's configuration: where and as whom it works. Reading it contacts nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from provider.errors import PipeError
from provider.values import Unknown

# Wire name -> what it is, as the schema describes it.
FIELDS = {
    "host": "PostgreSQL's host as clients see it; its certificate must name it.",
    "port": "PostgreSQL's read-write port.",
    "database": "The database in which migrations run.",
    "username": "The login role, a member of the owners that migrations run as.",
    "password": "Its password.",
    "caCertificate": "PEM of the authority that signed PostgreSQL's certificate.",
    "patroniCa": "PEM of the authority that signed the certificate of Patroni's REST API.",
    "patroniClientCertificate": "PEM of the client certificate that Patroni accepts for changes.",
    "patroniClientKey": "PEM of its private key.",
    "dockerHost": "Docker engine's address, as in DOCKER_HOST.",
}
SECRETS = frozenset({"password", "patroniClientKey"})


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server and a login. ``repr`` never shows the password."""

    host: str
    port: int
    database: str
    username: str
    password: str
    ca_certificate: str

    def __repr__(self) -> str:
        return f"Server({self.username}@{self.host}:{self.port}/{self.database})"


@dataclass(frozen=True)
class Tls:
    """What a client of Patroni's REST API shows and checks. ``repr`` never shows the key."""

    ca: str
    certificate: str | None
    key: str | None

    def __repr__(self) -> str:
        return f"Tls(client={'yes' if self.certificate else 'no'})"


class Config:
    """The configuration as the engine gave it; each group is complete or its use is a clear error."""

    def __init__(self, values: dict[str, Any]) -> None:
        """Keep plain values by wire name; what is unknown yet counts as missing."""
        self._values = {k: v for k, v in values.items() if v is not None and v != "" and not isinstance(v, Unknown)}

    def server(self, **override: Any) -> Server:
        """Return the PostgreSQL login; ``override`` (wire names) wins where it is not None."""
        values = self._values | {key: value for key, value in override.items() if value is not None}
        self._require(values, "host", "port", "database", "username", "password", "caCertificate")
        return Server(
            host=values["host"],
            port=_port(values["port"]),
            database=values["database"],
            username=values["username"],
            password=values["password"],
            ca_certificate=values["caCertificate"],
        )

    def tls(self) -> Tls:
        """Return what requests to Patroni need."""
        self._require(self._values, "patroniCa")
        get = self._values.get
        return Tls(get("patroniCa", ""), get("patroniClientCertificate"), get("patroniClientKey"))

    @property
    def docker_host(self) -> str | None:
        """Docker's address, or None for the environment's."""
        return self._values.get("dockerHost")

    @property
    def has_server(self) -> bool:
        """Whether a PostgreSQL login is configured at all."""
        return {"host", "port", "database", "username", "password", "caCertificate"} <= self._values.keys()

    @staticmethod
    def _require(values: dict[str, Any], *names: str) -> None:
        missing = [name for name in names if name not in values]
        if missing:
            listed = ", ".join(f'"{name}"' for name in missing)
            raise PipeError(
                f'the provider "pipe" has no {listed}', "give PipeProvider(...) these arguments in the program"
            )


def _port(value: Any) -> int:
    if str(value).isdigit() and 0 < int(value) < 65536:
        return int(value)
    raise PipeError(f'"{value}" is no port', 'give the provider "pipe" a port from 1 to 65535')
