"""Members look at the cluster when they are told to, not only every ``loop_wait`` seconds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from provider.errors import PipeError
from provider.patroni.rest import Rest


def wake(rest: Rest, endpoints: Iterable[str]) -> None:
    """Have the members at these addresses look now; who does not answer is let be."""
    for endpoint in endpoints:
        with contextlib.suppress(PipeError):
            ttl = rest.change("GET", endpoint, "/config", None).document.get("ttl")
            # The value that is there already: it changes nothing, and a PATCH is what wakes a member.
            rest.change("PATCH", endpoint, "/config", {"ttl": ttl})


def reload(rest: Rest, endpoint: str) -> None:
    """Have the member compare its configuration with what its PostgreSQL has, and write it anew where they differ."""
    with contextlib.suppress(PipeError):
        rest.change("POST", endpoint, "/reload", None)
        # It reloads when it looks next.
        wake(rest, [endpoint])
