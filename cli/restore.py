"""`make restore`: a new stack from what another one's repository keeps, read-only towards that one.

What is asked for becomes configuration of the new stack, so that plain `pulumi up` does the same; then `up` makes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cli import connect, containers, engine, recover, stackfile, state, up
from cli.errors import UserError
from cli.session import Session
from cli.state import State

WORDS = ("FROM", "AT", "NAME", "LSN", "TIMELINE", "PAUSE", "KEY_FILE")
TARGETS = ("at", "name", "lsn")
RESTORE = "pipe:pgbackrest:Restore"
PASSPHRASE = "backup_passphrase"


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
    return wanted


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
    is_new = not file.exists()
    present = _section(session)
    source = wanted.get("from") or present.get("from")
    if not source:
        raise UserError("FROM is missing", f"`make restore STACK={session.stack} FROM=prod`: whose backups?")
    _refuse_made(session)
    secret = None if _has_passphrase(present, wanted) else passphrase(session, str(source), wanted.get("key_file"))
    up.provide_file(session, like or str(source))
    with up.alone(session):
        known = recover.recover(session)
        if known is None:
            up.create(session)
        _configure(session, wanted, present, secret)
        # With a preview, which refuses what is not kept before anything changes.
        status = session.pulumi(["up", "--yes", "--stack", session.stack])
    if status == 0:
        print(connect.instructions(session.stack, session.outputs()))
        return 0
    return _after_failure(session, status, file if is_new else None)


def _refuse_made(session: Session) -> None:
    known = state.read(session)
    if known is not None and any(resource.get("type") == RESTORE for resource in known.resources):
        raise UserError(
            f'stack "{session.stack}" is made already, and a restore makes a new one',
            "take another name; docs/backup-and-restore.md says how to restore in place.",
        )


def _section(session: Session) -> Mapping[str, object]:
    content = stackfile.read(session.paths.root, session.stack) or {}
    value = stackfile.config(content).get(stackfile.RESTORE)
    return value if isinstance(value, dict) else {}


def _has_passphrase(present: Mapping[str, object], wanted: Mapping[str, str]) -> bool:
    return "passphrase" in present and wanted.get("from", present.get("from")) == present.get("from")


def passphrase(session: Session, source: str, key_file: str | None) -> str:
    """The passphrase of the source's repository: from the file of whoever printed it once, or from its state."""
    if key_file:
        try:
            return Path(key_file).read_text().strip()
        except OSError as error:
            raise UserError(f'KEY_FILE "{key_file}" cannot be read: {error.strerror}') from None
    stackfile.check_name(source)
    try:
        outputs = Session(source, session.paths, session.environ).outputs()
    except UserError as error:
        hint = "where that stack's state is gone, give the passphrase that was kept elsewhere: KEY_FILE=file."
        raise UserError(error.fact, hint) from None
    if not outputs.get(PASSPHRASE):
        raise UserError(f'stack "{source}" has no output "{PASSPHRASE}" yet', f"`make up STACK={source}` makes it.")
    return str(outputs[PASSPHRASE])


def _configure(session: Session, wanted: Mapping[str, str], present: Mapping[str, object], secret: str | None) -> None:
    given, gone = changes(wanted, present)
    commands: list[tuple[list[str], str | None]] = [
        *((["config", "rm", "--path", f"{stackfile.RESTORE}.{key}"], None) for key in gone),
        *((["config", "set", "--path", f"{stackfile.RESTORE}.{key}", value], None) for key, value in given.items()),
    ]
    if secret is not None:
        # By standard input: arguments show in the process list.
        commands.append((["config", "set", "--secret", "--path", f"{stackfile.RESTORE}.passphrase"], secret))
    for command, stdin in commands:
        done = session.ask(*command, "--stack", session.stack, stdin=stdin)
        if done.returncode != 0:
            raise UserError(f"{command[-1]} cannot be configured: {done.stderr.strip().removeprefix('error: ')}")


def _after_failure(session: Session, status: int, made: Path | None) -> int:
    known = state.read(session)
    if made is not None and (known is None or not _holds(known)):
        session.ask("stack", "rm", session.stack, "--yes", "--force", "--preserve-config", "--remove-backups")
        made.unlink(missing_ok=True)
        print(f'nothing was changed: stack "{session.stack}" is not made')
        return status
    try:
        place = containers.name_of(containers.running(engine.client(), session.stack, "restore")[0])
    except UserError:
        return status
    print(
        f"\nthe restore pauses at its target, read-only and reached by nobody else\n"
        f"look        docker exec -it {place} psql -d pipe\n"
        f"go further  make restore STACK={session.stack} AT='…'   (with PAUSE=no to make the stack there)\n"
        f"make it     make restore STACK={session.stack} PAUSE=no\n"
        f"drop it     make destroy STACK={session.stack}"
    )
    return 0


def _holds(known: State) -> bool:
    """Whether something was made that is more than Pulumi's own bookkeeping."""
    return any(not str(resource.get("type")).startswith("pulumi:") for resource in known.resources)
