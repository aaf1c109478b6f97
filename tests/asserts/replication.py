"""Who leads and who streams, in the words of Patroni's own interface."""

from __future__ import annotations

import json

from tests import timeouts
from tests.asserts.eventually import eventually
from tests.fixtures.stacks import Stack


def roles(stack: Stack) -> dict[str, tuple[str, str]]:
    """Return role and state of each member as Patroni lists them."""
    done = stack.run("bin/patronictl", "list", "-f", "json")
    if done.returncode != 0:
        return {}
    return {row["Member"]: (row["Role"], row["State"]) for row in json.loads(done.stdout)}


def listed(stack: Stack, within: float = timeouts.FAILOVER) -> dict[str, tuple[str, str]]:
    """Return the members as soon as Patroni answers and one of them leads."""

    def led(seen: dict[str, tuple[str, str]]) -> bool:
        return any(role == "Leader" for role, _ in seen.values())

    return eventually(lambda: roles(stack), led, within, "a member that leads")


def leader(stack: Stack) -> str:
    """Return the member that leads."""
    return next(name for name, (role, _) in listed(stack).items() if role == "Leader")


def assert_replicated(stack: Stack, replicas: int, within: float = timeouts.REJOIN) -> dict[str, tuple[str, str]]:
    """One leader runs and `replicas` others stream from it."""

    def complete(seen: dict[str, tuple[str, str]]) -> bool:
        states = sorted(state for role, state in seen.values() if role != "Leader")
        return sum(role == "Leader" for role, _ in seen.values()) == 1 and states == ["streaming"] * replicas

    return eventually(lambda: roles(stack), complete, within, f"a leader and {replicas} streaming replicas")


def led_by(stack: Stack, member: str, replicas: int) -> None:
    """Have a member lead, with `replicas` others that stream from it."""

    def asked() -> str:
        """Ask for it, and again where a member was too slow to agree: that ends with 0 as well."""
        if leader(stack) != member:
            stack.run("bin/patronictl", "switchover", "--candidate", member, "--force")
        return leader(stack)

    eventually(asked, lambda led: led == member, timeouts.FAILOVER, f"{member} leads")
    assert_replicated(stack, replicas)
