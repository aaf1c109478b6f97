"""`make up`: from whatever is there to the running stack."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from cli import connect, environment, missing, ports, recover, stackfile
from cli.errors import UserError
from cli.obstacles import look
from cli.session import Session
from setup.files import write_atomic


def run(session: Session, like: str | None, arguments: Sequence[str]) -> int:
    """Bring the stack up, making it first where it is new; returns Pulumi's exit status."""
    provide_file(session, like)
    with alone(session):
        status = _converge(session, arguments)
    if status == 0:
        print(connect.instructions(session.stack, session.outputs()))
    return status


@contextmanager
def alone(session: Session) -> Iterator[None]:
    """Wait until no other `up` of this checkout works on the stack.

    Pulumi's own lock begins only with Pulumi: what a first `up` makes would be removed as left over by a second one
    that looked before.
    """
    session.paths.tools.mkdir(parents=True, exist_ok=True)
    # A name that no stack can give to the locks of set-up and of the ports.
    with (session.paths.tools / f"up-{session.stack}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f'another `up` works on stack "{session.stack}"; waiting for it to end', flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _converge(session: Session, arguments: Sequence[str]) -> int:
    """Clear away what a killed run left and run Pulumi; returns its exit status."""
    known = recover.recover(session)
    look.refuse(session)
    if known is None:
        create(session)
    else:
        missing.forget(session, known)
    first = known is None or not known.resources
    # Nothing is there that a preview could compare with: what is made is what the program says.
    skip = ["--skip-preview"] if first else []
    return session.pulumi(["up", "--yes", "--stack", session.stack, *skip, *arguments])


def provide_file(session: Session, like: str | None) -> None:
    """Make the stack's file from that of another stack, unless it has one."""
    root = session.paths.root
    if stackfile.path_of(root, session.stack).exists():
        return
    if not like:
        raise UserError(
            f'stack "{session.stack}" has no file stacks/Pulumi.{session.stack}.yaml',
            f"`make up STACK={session.stack} LIKE=test` makes one like that of stack test.",
        )
    stackfile.check_name(like)
    pattern = stackfile.read(root, like)
    if pattern is None:
        raise UserError(f'LIKE names stack "{like}", which has no file stacks/Pulumi.{like}.yaml')
    session.paths.tools.mkdir(parents=True, exist_ok=True)
    # Two stacks that are made at the same moment must not choose the same ports.
    with (session.paths.tools / "ports.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Nor must two first `up`s of one stack: the second one waited here for the first one's choice.
        if stackfile.path_of(root, session.stack).exists():
            return
        base = ports.choose(stackfile.used_ports(root), ports.is_free)
        write_atomic(stackfile.path_of(root, session.stack), stackfile.copy(pattern, like, base))
    print(f"stacks/Pulumi.{session.stack}.yaml: like {like}, ports from {base}")


def create(session: Session) -> None:
    """Make the stack in the backend."""
    arguments = ["stack", "init", session.stack, "--no-select"]
    provider = session.environ.get(environment.SECRETS_PROVIDER)
    if provider:
        arguments += ["--secrets-provider", provider]
    done = session.ask(*arguments)
    if done.returncode != 0:
        raise UserError(f'stack "{session.stack}" cannot be made: {done.stderr.strip().removeprefix("error: ")}')
