"""`make restore`: a new stack from what another one's repository keeps, read-only towards that one.

What is asked for becomes configuration of the new stack, so that plain `pulumi up` does the same; then `up` makes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cli import connect, containers, engine, pause, recover, source, stackfile, state, up
from cli.errors import UserError
from cli.obstacles import look
from cli.pause import RESTORE
from cli.session import Session
from cli.source import Source
from cli.state import State
from infra.naming import Names
from setup.files import write_atomic

WORDS = ("FROM", "AT", "NAME", "LSN", "TIMELINE", "PAUSE", "REPOSITORY", "NETWORK", "KEY_FILE")
TARGETS = ("at", "name", "lsn")
# What says whose backups are read, and where.
WHOSE = ("from", "repository", "key_file")
SIGN = "passphrase"


def parse(words: Sequence[str]) -> dict[str, str]:
    """Return what was asked for by its lower-case name. Raises UserError when something else was."""
    wanted = {}
    for word in words:
        key, _, value = word.partition("=")
        if key not in WORDS or not value:
            raise UserError(f'"{word}" says nothing to a restore', f"it takes {', '.join(f'{w}=…' for w in WORDS)}.")
        wanted[key.lower()] = value
    if wanted.get("pause", "no") not in ("yes", "no"):
        raise UserError(f'PAUSE is "{wanted["pause"]}"', "it is yes or no.")
    check_repository(wanted)
    return wanted


def check_repository(wanted: Mapping[str, str]) -> None:
    """Raise UserError unless a repository that is named is one that exists."""
    if wanted.get("repository", source.VOLUME) not in source.KINDS:
        raise UserError(f'REPOSITORY is "{wanted["repository"]}"', f"it is {', '.join(source.KINDS)}.")


def changes(wanted: Mapping[str, str], present: Mapping[str, object]) -> tuple[dict[str, str], list[str]]:
    """Return the keys of the section to set and those to take away; a new target replaces the old one."""
    given = {key: value for key, value in wanted.items() if key != "key_file"}
    if "pause" in given:
        given["pause"] = "true" if given["pause"] == "yes" else "false"
    replaced = TARGETS if any(key in given for key in TARGETS) else ()
    return given, [key for key in replaced if key in present and key not in given]


def run(session: Session, words: Sequence[str], like: str | None) -> int:
    """Make the stack, or go on with one whose restore paused; returns Pulumi's exit status."""
    wanted = parse(words)
    file = stackfile.path_of(session.paths.root, session.stack)
    before = file.read_text() if file.exists() else None
    present = _section(session)
    origin = wanted.get("from") or present.get("from")
    if not origin:
        raise UserError("FROM is missing", f"`make restore STACK={session.stack} FROM=prod`: whose backups?")
    _refuse_made(session)
    read = None
    if not _is_known(present, wanted):
        repository = wanted.get("repository") or present.get("repository")
        read = source.find(session, str(origin), str(repository) if repository else None, wanted.get("key_file"))
        _refuse_unreached(read, present)
    up.provide_file(session, like or str(origin))
    # Only the file says of which kind the stack is, and so whether this checkout's own state will do.
    session = Session(session.stack, session.paths, session.environ)
    with up.alone(session):
        try:
            known = _begin(session, wanted, present, read)
        except UserError:
            _put_back(file, before)
            raise
        status, has_paused = pause.up(session)
    if status == 0:
        print(connect.instructions(session.stack, session.outputs()))
        return 0
    if has_paused:
        _tell_pause(session)
        return 0
    now = state.read(session)
    if not _holds(known) and not _holds(now):
        if known is None:
            _remove(session)
        _put_back(file, before)
        print(f'nothing was changed: stack "{session.stack}" is not made')
    elif _holds(known) and not _is_made(now) and present.get("from"):
        # A restore that was begun before: where it is to end is what it was, also for a later PAUSE=no.
        _put_back(file, before)
        _tell_stay(session, file)
    return status


def _begin(
    session: Session, wanted: Mapping[str, str], present: Mapping[str, object], read: Source | None
) -> State | None:
    """Have the stack in the backend and what is asked for in its file; returns the state that it had before."""
    known = recover.recover(session)
    look.refuse(session)
    if known is None:
        up.create(session)
    try:
        _configure(session, wanted, present, read)
    except UserError:
        if known is None:
            _remove(session)
        raise
    return known


def _refuse_made(session: Session) -> None:
    if _is_made(state.read(session)):
        raise UserError(
            f'stack "{session.stack}" is made already, and a restore makes a new one',
            "take another name; docs/backup-and-restore.md says how to restore in place.",
        )


def _section(session: Session) -> Mapping[str, object]:
    content = stackfile.read(session.paths.root, session.stack) or {}
    value = stackfile.config(content).get(stackfile.RESTORE)
    return value if isinstance(value, dict) else {}


def _is_known(present: Mapping[str, object], wanted: Mapping[str, str]) -> bool:
    """Whether the section says already how the repository is read."""
    return SIGN in present and all(wanted.get(key, present.get(key)) == present.get(key) for key in WHOSE)


def _refuse_unreached(read: Source, present: Mapping[str, object]) -> None:
    """Raise UserError when nothing leads to the bucket or the server; whoever wrote the section may have said it."""
    if not present.get(read.repository):
        source.refuse_unreached(read, f"else set pipe:restore.{read.repository}.")


def settings(read: Source | None, present: Mapping[str, object]) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Return the plain keys, the secret ones and those to take away that say how the repository is read."""
    if read is None:
        return {}, {}, []
    place = {f"{read.repository}.{name}": str(value) for name, value in read.place.items()}
    hidden = {f"{read.repository}.{name}" for name in read.secret}
    plain = {key: value for key, value in place.items() if key not in hidden}
    # The sign that all is known (`_is_known`): it goes first and comes last, so that no interrupted run leaves it.
    secret = {**{key: value for key, value in place.items() if key in hidden}, SIGN: read.passphrase}
    stale = [kind for kind in source.PLACES if kind in present and (place or kind != read.repository)]
    if SIGN in present:
        stale.insert(0, SIGN)
    return {"repository": read.repository, **plain}, secret, stale


def _configure(session: Session, wanted: Mapping[str, str], present: Mapping[str, object], read: Source | None) -> None:
    given, gone = changes(wanted, present)
    plain, secret, stale = settings(read, present)
    # Values by standard input: arguments show in the process list, and a certificate begins like an option.
    steps: list[tuple[list[str], str, str | None]] = [
        *((["rm"], key, None) for key in (*stale, *gone)),
        # Without its type a restore point or a bucket of digits would become a number.
        *((["set", "--type", "string"], key, value) for key, value in (given | plain).items()),
        *((["set", "--secret"], key, value) for key, value in secret.items()),
    ]
    for words, key, value in steps:
        full = f"{stackfile.RESTORE}.{key}"
        done = session.ask("config", *words, "--path", full, "--stack", session.stack, stdin=value)
        if done.returncode != 0:
            raise UserError(f"{full} cannot be configured: {done.stderr.strip().removeprefix('error: ')}")


def _remove(session: Session) -> None:
    """Take away the stack of which nothing was made."""
    session.ask("stack", "rm", session.stack, "--yes", "--force", "--preserve-config", "--remove-backups")


def _put_back(file: Path, before: str | None) -> None:
    """Give the stack's file the text that it had; none where there was no file.

    What a refused restore left in it, a later `make up` would try.
    """
    if before is None:
        file.unlink(missing_ok=True)
    else:
        write_atomic(file, before)


def _tell_pause(session: Session) -> None:
    """Say how to go on from a pause at the target, which is no failure."""
    print(
        f"\nthe restore pauses at its target, read-only and reached by nobody else\n"
        f"look        docker exec -it {Names(session.stack).container('restore')} psql -d pipe\n"
        f"go further  make restore STACK={session.stack} AT='…'   (with PAUSE=no to make the stack there)\n"
        f"make it     make restore STACK={session.stack} PAUSE=no\n"
        f"drop it     make destroy STACK={session.stack}"
    )


def _tell_stay(session: Session, file: Path) -> None:
    """Say what became of a restore that was begun before and did not go on."""
    try:
        containers.running(engine.client(), session.stack, "restore")
    except UserError:
        fact = "the restore did not go on"
    else:
        fact = "the restore did not go on: it pauses where it did before"
    print(f"{fact}; stacks/{file.name} has its former target again")


def _is_made(known: State | None) -> bool:
    """Whether the restore has come to its end, and the stack has the data."""
    return known is not None and any(resource.get("type") == RESTORE for resource in known.resources)


def _holds(known: State | None) -> bool:
    """Whether something was made that is more than Pulumi's own bookkeeping."""
    return known is not None and any(
        not str(resource.get("type")).startswith("pulumi:") for resource in known.resources
    )
