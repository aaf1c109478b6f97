"""Clearing away what a killed `up` left, so that the next one converges.

A kill leaves three things behind: Pulumi's lock, containers that were made but not yet written to the state (their
names are taken, so a second attempt fails), and the note in the state that an operation was under way. Volumes stay:
they are found again by their names, with what is in them.
"""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli import bootstrap, engine, halfmade, state
from cli.engine import Thing
from cli.errors import UserError
from cli.rehearse import copy
from cli.session import PROJECT, Session
from cli.state import State
from infra.naming import Names

CONTAINER = "docker:index/container:Container"
NETWORK = "docker:index/network:Network"
ALLOW = "PIPE_RECOVER"
# An `up` with a long migration; after that somebody should look.
WAIT_SECONDS = 60 * 60
POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Lock:
    """Who holds a stack, as Pulumi writes it down."""

    pid: int
    hostname: str


def parse_lock(text: str) -> Lock | None:
    """The lock in a file of the backend; None when it says something else."""
    try:
        content = json.loads(text)
        return Lock(int(content["pid"]), str(content["hostname"]))
    except (ValueError, KeyError, TypeError):
        return None


def is_stale(lock: Lock, hostname: str, is_pulumi: Callable[[int], bool]) -> bool:
    """Whether the holder is certainly gone. Of another machine's processes nothing is known."""
    return lock.hostname == hostname and not is_pulumi(lock.pid)


def is_pulumi(pid: int) -> bool:
    """Whether the process runs and is Pulumi: after a restart of the machine its number may be anyone's."""
    try:
        _, name, state_and_more = re.split(r" \((.*)\) ", Path(f"/proc/{pid}/stat").read_text(), maxsplit=1)
        # A killed process that nobody has waited for yet still has its name.
        return name.startswith("pulumi") and state_and_more[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self").exists():
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def orphans(things: Iterable[Thing], known: State) -> list[Thing]:
    """Containers and networks of the stack that its state does not have."""
    ids = {"container": known.ids(CONTAINER), "network": known.ids(NETWORK)}
    return [thing for thing in things if thing.kind in ids and thing.id not in ids[thing.kind]]


def recover(session: Session) -> State | None:
    """Make the stack ready for a run; returns its state, None when the backend has none."""
    drop_stale_locks(session, WAIT_SECONDS)
    mend_backend(session)
    known = state.read(session)
    api = engine.client()
    things = engine.labelled(api, session.stack)
    if known is None:
        _refuse_foreign(session, things)
        return None
    things = _without_rehearsals(session, api, things)
    # A restore that pauses is still looked at; it makes way for the next one by itself.
    paused = Names(session.stack).container("restore")
    lost = [thing for thing in orphans(things, known) if thing.name != paused]
    if lost or known.pending:
        refuse_unlocked(session)
    _refuse_older(session, lost, known)
    if lost:
        bootstrap.let_finish(lost, bootstrap.is_done)
        print(f"recovering: removing {', '.join(thing.name for thing in lost)}, which an interrupted run left")
        # One of them may lead: stopped, it hands over; killed, it would take with it what no replica has yet.
        failures = engine.remove(api, lost, gently=True)
        if failures:
            raise UserError("; ".join(failures), "remove it by hand, then try again.")
    if known.pending:
        if made := halfmade.find(known):
            halfmade.remove(session, api, made)
        _forget_pending(session, known)
    return known


def _refuse_older(session: Session, lost: Iterable[Thing], known: State) -> None:
    """Raise UserError where the state has containers under an older id: those were made since, by no interrupted run.

    Where one was interrupted while it replaced a container, the state says so.
    """
    begun = {str(operation["resource"].get("urn")) for operation in known.pending}
    whole = (
        one
        for one in known.resources
        if one.get("type") == CONTAINER and not one.get("pendingReplacement") and one.get("urn") not in begun
    )
    names = {str(outputs["name"]) for one in whole if (outputs := one.get("outputs")) and outputs.get("name")}
    newer = sorted(thing.name for thing in lost if thing.kind == "container" and thing.name in names)
    if newer and session.environ.get(ALLOW) != "1":
        raise UserError(
            f'the state of stack "{session.stack}" is older than what runs: {", ".join(newer)} were made anew since',
            f"bring back the newer state; without one, {ALLOW}=1 stops and removes them, and makes them anew.",
        )


def _without_rehearsals(session: Session, api: Any, things: list[Thing]) -> list[Thing]:
    """Return the stack's own. A rehearsal is no part of it, and goes on; what a killed one left goes."""
    own = [thing for thing in things if not copy.is_one(session.stack, thing.name)]
    if len(own) < len(things) and (gone := copy.clear(api, session.stack)):
        print(f"recovering: removed {', '.join(gone)}, which an interrupted rehearsal left")
    return own


def refuse_unlocked(session: Session) -> None:
    """Raise UserError where nothing tells an interrupted run from one that goes on, unless the caller knows.

    The locks of a folder say whose they are. Those of another backend are not read, and what a running `up` has just
    made looks like what a killed one left.
    """
    if state.folder(session.backend) is None and session.environ.get(ALLOW) != "1":
        raise UserError(
            f'stack "{session.stack}" has unfinished operations, of an interrupted run or of one that still goes on',
            f"when nobody else works on it, run again with {ALLOW}=1.",
        )


def drop_stale_locks(session: Session, wait: float = 0) -> None:
    """Remove the locks of dead processes of this machine, and wait for those who work on the stack, in seconds.

    Raises UserError when they do not end in time. A backend that is no folder is locked by Pulumi alone, which refuses.
    """
    base = state.folder(session.backend)
    if base is None:
        return
    folder = base / "locks" / "organization" / PROJECT / session.stack
    deadline, told = time.monotonic() + wait, ""
    while holder := _holder(session, folder):
        fact = f'stack "{session.stack}" is in use by process {holder.pid} on "{holder.hostname}"'
        hint = f"if it is gone, `STACK={session.stack} bin/pulumi cancel` drops its lock."
        if time.monotonic() >= deadline:
            raise UserError(fact, f"wait for it to end; {hint}")
        if fact != told:
            print(f"{fact}; waiting for it to end\nHINT: {hint}", flush=True)
            told = fact
        time.sleep(POLL_SECONDS)


def _holder(session: Session, folder: Path) -> Lock | None:
    """Return whoever works on the stack now; what is left of the dead goes."""
    for file in sorted(folder.glob("*.json")):
        try:
            lock = parse_lock(file.read_text())
        except FileNotFoundError:
            continue
        if lock is None:
            raise UserError(
                f'"{file}" is a lock that cannot be read', f"`STACK={session.stack} bin/pulumi cancel` drops it."
            )
        if not is_stale(lock, socket.gethostname(), is_pulumi):
            return lock
        print(f"recovering: dropping the lock of process {lock.pid}, which is gone")
        for part in (file, file.with_name(f"{file.name}.attrs")):
            part.unlink(missing_ok=True)
    return None


def mend_backend(session: Session) -> None:
    """Remove what a kill left half written in a file backend.

    The state itself is replaced by renaming. The file of attributes beside each object is not, and Pulumi stops at one
    that it cannot read; it does without one that is not there.
    """
    base = state.folder(session.backend)
    if base is None:
        return
    objects = (base / "stacks" / PROJECT).glob(f"{session.stack}.json*")
    records = (file for kind in ("history", "backups") for file in (base / kind / PROJECT / session.stack).glob("*"))
    for file in [*objects, *records]:
        if file.suffix == ".tmp" or (file.suffix == ".attrs" and not _is_json(file)):
            file.unlink(missing_ok=True)


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_text())
    except ValueError:
        return False
    return True


def _refuse_foreign(session: Session, things: list[Thing]) -> None:
    """What carries the stack's label while this backend has never heard of it is another checkout's."""
    if things:
        raise UserError(
            f'the engine has {len(things)} objects of a stack "{session.stack}" (such as {things[0].name}) '
            f"that this backend ({session.backend}) does not know",
            "choose another name, or destroy that stack from the checkout that made it.",
        )


def _forget_pending(session: Session, known: State) -> None:
    """Drop the notes of operations under way: what they made has been removed, or will be found by its name."""
    done = session.ask("stack", "export", "--stack", session.stack)
    if done.returncode != 0:
        raise UserError(f'the state of stack "{session.stack}" cannot be exported: {done.stderr.strip()}')
    exported = json.loads(done.stdout)
    exported["deployment"].pop("pending_operations", None)
    done = session.ask("stack", "import", "--stack", session.stack, stdin=json.dumps(exported))
    if done.returncode != 0:
        raise UserError(f'the state of stack "{session.stack}" cannot be mended: {done.stderr.strip()}')
    interrupted = state.names(operation["resource"] for operation in known.pending)
    print(f"recovering: {', '.join(interrupted)} were under way when a run was interrupted")
