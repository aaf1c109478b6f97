"""A cluster that nobody leads, where a member cannot lead and the one that could is not there.

Members change one after another. Where the first one waits for a leader that only a later one can be, whose own change
is what it lacks (a certificate that has expired, a container that is gone), neither would ever come.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from provider.patroni.rest import Rest, Unreachable

TTL_SECONDS, LOOP_SECONDS = 30, 10  # Patroni's own defaults
# Beyond the lease and a loop, by which time a failover is over.
MARGIN_SECONDS = 5


@dataclass
class Unled:
    """Judges how long a member has had no leader to follow, and who does not answer meanwhile."""

    rest: Rest
    endpoint: str
    others: Sequence[str]
    """REST addresses of the other members; without any the member is waited for however long it takes."""
    _since: float | None = field(default=None, init=False)
    _patience: float = field(default=0.0, init=False)

    def absent(self, *, unled: bool) -> list[str]:
        """Return the other members that do not answer, once nobody has led for longer than a failover takes.

        :param unled: whether the member runs as a replica now and nobody leads.
        """
        if not unled or not self.others:
            self._since = None
            return []
        if self._since is None:
            self._since, self._patience = time.monotonic(), patience(self._config())
        if time.monotonic() - self._since < self._patience:
            return []
        answering = {endpoint for endpoint, _ in self.rest.reachable(self.others, "/patroni")}
        return [endpoint for endpoint in self.others if endpoint not in answering]

    def _config(self) -> dict[str, Any]:
        try:
            return self.rest.send("GET", self.endpoint, "/config").document
        except Unreachable:
            return {}


def patience(config: dict[str, Any]) -> float:
    """Return after how many seconds without a leader no failover is under way, by the dynamic configuration."""
    return float(config.get("ttl", TTL_SECONDS)) + float(config.get("loop_wait", LOOP_SECONDS)) + MARGIN_SECONDS
