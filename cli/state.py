"""A stack's state as Pulumi keeps it: read from the file where the backend is a folder, by `stack export` elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.environment import folder_of
from cli.errors import UserError
from cli.session import PROJECT, Session

BOOKKEEPING = ".pulumi"


@dataclass(frozen=True)
class State:
    """What the engine of Pulumi knows: resources, and operations that began and did not end."""

    resources: tuple[Mapping[str, Any], ...]
    pending: tuple[Mapping[str, Any], ...] = ()

    def ids(self, type_: str) -> set[str]:
        """The ids of the resources of a type."""
        return {str(r["id"]) for r in self.resources if r.get("type") == type_ and r.get("id")}

    @property
    def protected(self) -> list[str]:
        """The names of the resources that must not go."""
        return [str(r["urn"]).rpartition("::")[2] for r in self.resources if r.get("protect")]


def parse(deployment: Mapping[str, Any] | None) -> State:
    """The state from a deployment, as exported or as in a checkpoint."""
    found = deployment or {}
    return State(tuple(found.get("resources") or ()), tuple(found.get("pending_operations") or ()))


def folder(backend: str) -> Path | None:
    """The folder of a file backend; None for another kind."""
    found = folder_of(backend)
    return None if found is None else found / BOOKKEEPING


def read(session: Session) -> State | None:
    """The stack's state; None when the backend has no such stack."""
    base = folder(session.backend)
    if base is not None:
        file = base / "stacks" / PROJECT / f"{session.stack}.json"
        try:
            return parse(json.loads(file.read_text())["checkpoint"].get("latest"))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f'"{file}" is no state of Pulumi: {error}', f"an older one is in {base / 'backups'}."
            ) from None
    done = session.ask("stack", "export", "--stack", session.stack)
    if done.returncode != 0:
        if "no stack named" in done.stderr:
            return None
        raise UserError(f'the state of stack "{session.stack}" cannot be read: {done.stderr.strip()}')
    return parse(json.loads(done.stdout)["deployment"])


def names(resources: Iterable[Mapping[str, Any]]) -> list[str]:
    """The last part of each URN, for messages."""
    return [str(resource["urn"]).rpartition("::")[2] for resource in resources]
