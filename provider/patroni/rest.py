"""A client of Patroni's REST API over TLS. Reads need the authority only, changes the operator's client certificate."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from provider.config import Tls
from provider.errors import PipeError, http_hints
from provider.files import as_file

# A member answers in milliseconds, or while its container starts not at all.
TIMEOUT_SECONDS = 5.0
CONFLICT_RETRIES, CONFLICT_PAUSE_SECONDS = 10, 0.2


class Unreachable(PipeError):
    """No answer: refused, timed out, or not the certificate that was expected."""

    def __init__(self, endpoint: str, cause: str, *, refused: bool = False, untrusted: bool = False) -> None:
        """Keep the cause; ``refused`` means that nothing listens there at all."""
        hint = "the member may be starting or gone; look at its container with: docker ps"
        if untrusted:
            hint = "one side's certificate is not signed by the authority of the other, or does not name the host"
        super().__init__(f'Patroni at "{endpoint}" does not answer: {cause}', hint)
        self.cause = cause
        self.refused = refused
        self.untrusted = untrusted


@dataclass(frozen=True)
class Answer:
    """Status and body; JSON is decoded, anything else is text."""

    status: int
    body: Any

    @property
    def document(self) -> dict[str, Any]:
        """The body as an object; empty when it is none."""
        return self.body if isinstance(self.body, dict) else {}


class Rest:
    """Makes requests, each on a connection of its own: Patroni closes it after the answer anyway."""

    def __init__(self, tls: Tls) -> None:
        """Prepare the TLS context; raises PipeError when certificate or key cannot be read."""
        try:
            self._context = ssl.create_default_context(cadata=tls.ca)
            if tls.certificate and tls.key:
                with as_file(f"{tls.key.strip()}\n{tls.certificate.strip()}\n") as pair:
                    self._context.load_cert_chain(pair)
        except (ssl.SSLError, ValueError) as error:
            # The exception's text names no secret, but its cause is always the same: text that is no PEM, or no pair.
            raise PipeError(
                "the provider's certificates for Patroni cannot be used",
                "give patroni_ca, patroni_client_certificate and patroni_client_key as PEM, the last two a pair",
            ) from error

    def send(
        self, method: str, endpoint: str, path: str, body: Any = None, *, timeout: float = TIMEOUT_SECONDS
    ) -> Answer:
        """Make one request and return the answer, whatever its status; raises Unreachable."""
        parts = urlsplit(endpoint)
        connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=timeout, context=self._context
        )
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return Answer(response.status, _decode(response.read()))
        except ssl.SSLCertVerificationError as error:
            raise Unreachable(
                endpoint, f"its certificate is refused: {error.verify_message}", untrusted=True
            ) from error
        except (ssl.SSLEOFError, ConnectionResetError) as error:
            # Docker listens on a published port before the program behind it does.
            raise Unreachable(endpoint, "nothing listens in its container yet") from error
        except ssl.SSLError as error:
            # With TLS 1.3 the server's verdict on the client's certificate arrives as an alert, after the handshake.
            alert = "ALERT" in (error.reason or "")
            cause = "it refuses the client certificate" if alert else f"TLS failed: {error.reason}"
            raise Unreachable(endpoint, cause, untrusted=alert) from error
        except ConnectionRefusedError as error:
            raise Unreachable(endpoint, "connection refused", refused=True) from error
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(endpoint, str(error) or type(error).__name__) from error
        finally:
            connection.close()

    def change(self, method: str, endpoint: str, path: str, body: Any, *, timeout: float = TIMEOUT_SECONDS) -> Answer:
        """Make a request that must succeed (status 2xx); raises PipeError with Patroni's own words otherwise."""
        answer = self.send(method, endpoint, path, body, timeout=timeout)
        for _ in range(CONFLICT_RETRIES):
            if answer.status != HTTPStatus.CONFLICT:
                break
            # Patroni compares and sets in etcd, and the leader writes there too; nothing was changed.
            time.sleep(CONFLICT_PAUSE_SECONDS)
            answer = self.send(method, endpoint, path, body, timeout=timeout)
        if 200 <= answer.status < 300:
            return answer
        raise refused(method, endpoint, path, answer)

    def reachable(self, endpoints: Iterable[str], path: str) -> Iterator[tuple[str, Answer]]:
        """Yield the endpoints that answer, with the answer to a GET of ``path``."""
        for endpoint in endpoints:
            try:
                yield endpoint, self.send("GET", endpoint, path)
            except Unreachable:
                continue


def refused(method: str, endpoint: str, path: str, answer: Answer) -> PipeError:
    """Return the error that gives Patroni's own words."""
    words = answer.body if isinstance(answer.body, str) and answer.body.strip() else "no reason given"
    return PipeError(
        f'Patroni at "{endpoint}" refused {method} {path} with status {answer.status}: {words.strip()}',
        *http_hints(answer.status),
    )


def _decode(raw: bytes) -> Any:
    text = raw.decode(errors="replace")
    try:
        return json.loads(text)
    except ValueError:
        return text
