"""``pipe:patroni:leader``: who leads now. A function, not a resource: its answer is in no state."""

from __future__ import annotations

from provider.config import Config
from provider.errors import PipeError
from provider.patroni.rest import Rest, Unreachable
from provider.values import Properties

# A member that leads answers at once; nobody waits long for one that hangs.
TIMEOUT_SECONDS = 2.0
NOBODY = ""


def leader(config: Config, arguments: Properties) -> Properties:
    """Return the name of the member that leads, as the first that answers at ``endpoints`` knows it.

    Before the cluster is there, and whenever none answers, that is nobody; ``there`` tells the two apart: before the
    cluster is there, nothing listens at any address.
    """
    try:
        rest = Rest(config.tls())
    except PipeError:
        return {"leader": NOBODY, "there": True}
    there = False
    for endpoint in arguments["endpoints"]:
        try:
            members = rest.send("GET", endpoint, "/cluster", timeout=TIMEOUT_SECONDS).document.get("members", [])
        except PipeError as error:
            there = there or not (isinstance(error, Unreachable) and error.refused)
            continue
        name = next((str(m["name"]) for m in members if m.get("role") == "leader"), NOBODY)
        return {"leader": name, "there": True}
    return {"leader": NOBODY, "there": there}
