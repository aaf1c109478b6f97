"""`make destroy`: a stack goes without a trace, unless it is protected."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from cli import connect, engine, losses, recover, stackfile, state
from cli.environment import SHARED
from cli.errors import UserError
from cli.rehearse import copy
from cli.session import Ended, Session
from cli.state import State
from infra.naming import Names
from setup.files import write_atomic


def run(session: Session, arguments: Sequence[str]) -> int:
    """Destroy and remove the stack; returns 0, or raises UserError with what stands in the way."""
    if arguments:
        # An option that limits or only shows the removal would be followed by the removal of everything.
        raise UserError(
            "destroy takes no options of Pulumi: it removes the whole stack",
            f"`STACK={session.stack} bin/pulumi destroy ...` is for a part of it.",
        )
    recover.drop_stale_locks(session)
    recover.mend_backend(session)
    known = state.read(session)
    if known is None:
        return _absent(session)
    refuse_protected(session, known)
    connect.provide_known_authority(session)
    _remove_guests(session.stack)
    ended = session.watch(["destroy", "--yes", "--skip-preview", "--stack", session.stack])
    destroyed = ended.status == 0
    if not destroyed:
        _refuse_the_rest(session, ended)
        # A stack that an `up` left half made may lack what its own removal needs. What it has on the engine is
        # known by label, so it can go all the same.
        print(f'stack "{session.stack}" could not be destroyed in order; removing what carries its label')
    _remove_labelled(session.stack)
    flags = [] if destroyed else ["--force"]
    if session.stack not in stackfile.KEPT:
        # Nothing of a throw-away stack is worth keeping, and its old states hold its (encrypted) passwords.
        flags.append("--remove-backups")
    done = session.ask("stack", "rm", session.stack, "--yes", "--preserve-config", *flags)
    if done.returncode != 0:
        raise UserError(f'stack "{session.stack}" cannot be removed: {done.stderr.strip().removeprefix("error: ")}')
    _forget(session)
    print(f'stack "{session.stack}" is gone')
    return 0


def refuse_protected(session: Session, known: State) -> None:
    """Raise UserError when the state has a resource that must not go, with what would be lost."""
    if known.protected:
        stack = session.stack
        raise UserError(
            f'stack "{stack}" is protected and stays: it holds data ({", ".join(known.protected)})\n'
            f"lost would be {losses.of(session)}",
            f"if that data may really go: `STACK={stack} bin/pulumi state unprotect --all --yes`, then destroy again.",
        )


def _remove_guests(stack: str) -> None:
    """Remove a restore that pauses, and rehearsals: Pulumi does not know them, and they hold on to volumes."""
    paused, api = Names(stack).container("restore"), engine.client()
    guests = [one for one in engine.labelled(api, stack) if one.name == paused or copy.is_one(stack, one.name)]
    engine.remove(api, guests)


def _refuse_the_rest(session: Session, ended: Ended) -> None:
    """Raise UserError unless the failure can only be that of a half-made local stack.

    What carries the stack's label includes its data and its backups: it does not go because someone pressed Ctrl-C,
    mistyped the passphrase, or works on the stack just now.
    """
    shared = session.target.kind in SHARED or session.stack in SHARED or state.folder(session.backend) is None
    if not ended.interrupted and not shared:
        recover.drop_stale_locks(session)
        # With secrets in clear, so that it takes the passphrase; nothing of it is shown.
        if session.ask("stack", "export", "--show-secrets", "--stack", session.stack).returncode == 0:
            return
    raise UserError(
        f'stack "{session.stack}" was not destroyed, and nothing more is removed',
        "see the lines above, then destroy again.",
    )


def _absent(session: Session) -> int:
    things = engine.labelled(engine.client(), session.stack)
    if things:
        raise UserError(
            f'this backend has no stack "{session.stack}", but the engine has {len(things)} objects of one '
            f"(such as {things[0].name})",
            "destroy it from the checkout that made it; `make sweep` removes throw-away stacks that were left over.",
        )
    _forget(session)
    print(f'there is no stack "{session.stack}"')
    return 0


def _remove_labelled(stack: str) -> None:
    api = engine.client()
    failures = engine.remove(api, engine.labelled(api, stack))
    if failures:
        raise UserError("; ".join(failures), f"`make destroy STACK={stack}` tries again.")


def _forget(session: Session) -> None:
    """Remove the stack's files: its runtime folder, and its configuration if that was made for it."""
    shutil.rmtree(session.runtime, ignore_errors=True)
    file = stackfile.path_of(session.paths.root, session.stack)
    if session.stack not in stackfile.KEPT:
        file.unlink(missing_ok=True)
    elif file.exists():
        text = file.read_text()
        if stackfile.without_salt(text) != text:
            write_atomic(file, stackfile.without_salt(text))
