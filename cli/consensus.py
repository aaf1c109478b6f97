"""`make rebuild-consensus`: etcd's data is lost for good; a new store is made, and PostgreSQL's data stays as it is.

What Patroni keeps in etcd is who leads and its own configuration, and whoever led knows both. So a primary that runs
goes on and writes what it knows into the empty store, while the others stand still; then they follow it. Where none
runs, the volumes have to show who was primary last, or somebody has to say it: started first and alone, it leads.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cli import engine
from cli.containers import COMPONENT, image_of, name_of
from cli.errors import UserError
from cli.obstacles.look import ETCDCTL
from cli.session import Session
from infra.cluster.config import ETCD_HEALTH
from infra.naming import Names
from infra.paths import CA_FILE, CONFIG_DIR, DATA_DIR, ETCD_DIR, REST_PORT

WAIT_SECONDS = 300
POLL_SECONDS = 0.5
COMMAND_SECONDS = 60
FREEZE_TRIES = 20
# A member's stop writes a checkpoint and waits for its replicas.
STOP_SECONDS = 120
PRIMARY_STATES = ("in production", "shut down", "shutting down", "in crash recovery")
LEADER = "LEADER"


@dataclass(frozen=True)
class Control:
    """What a member's control file says: how it was left, and on which timeline."""

    state: str
    timeline: int


def parse_control(text: str) -> Control | None:
    """Read pg_controldata's output; None when it is none."""
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}
    try:
        return Control(fields["Database cluster state"], int(fields["Latest checkpoint's TimeLineID"]))
    except (KeyError, ValueError):
        return None


def last_primary(found: Mapping[str, Control | None], named: str | None) -> str:
    """Return the member that was primary last, or the one that was named; raises UserError when it is not clear."""
    if named is not None:
        if named not in found:
            raise UserError(f'there is no member "{named}"', f"{LEADER} is one of {', '.join(sorted(found))}.")
        return named
    states = {member: control for member, control in found.items() if control and control.state in PRIMARY_STATES}
    newest = max((control.timeline for control in states.values()), default=0)
    last = [member for member, control in states.items() if control.timeline == newest]
    if len(last) == 1:
        return last[0]
    seen = "; ".join(
        f"{member}: {control.state}, timeline {control.timeline}" if control else f"{member}: no data"
        for member, control in sorted(found.items())
    )
    raise UserError(
        f"it is not clear which member was primary last ({seen})",
        f"name it: make rebuild-consensus {LEADER}=member-0. Commits that only others have are lost.",
    )


def run(session: Session) -> int:
    """Make an empty store and let the cluster fill it; returns 0, or raises UserError."""
    api = engine.client()
    etcd, members = _containers(api, session.stack, "etcd"), _containers(api, session.stack, "member")
    if _quorum(etcd) and not _is_empty(etcd, session.stack):
        raise UserError(
            f'etcd of stack "{session.stack}" works: there is nothing to rebuild',
            f"`STACK={session.stack} bin/patronictl list` shows what it knows.",
        )
    prefix = f"{Names(session.stack).network}-"
    primary = next((name for name in members if _status(name).get("role") == "primary"), None)
    if primary is not None:
        print(f"{primary} is primary and keeps the lead")
    else:
        _docker("stop", *members, within=STOP_SECONDS + COMMAND_SECONDS)
        controls = {name.removeprefix(prefix): _control(name, image) for name, image in members.items()}
        primary = prefix + last_primary(controls, os.environ.get(LEADER) or None)
        print(f"{primary} was primary last: it starts first, and alone")
    _docker("stop", *etcd)
    token = f"{session.stack}-{secrets.token_hex(4)}"
    for name, image in etcd.items():
        _empty(name, image, token)
    # While the store is empty whoever comes first may lead. Those that might lack rows stand still until somebody does.
    followers = [name for name in members if name != primary and _status(name)]
    try:
        for name in followers:
            _freeze(name)
        _docker("start", *etcd)
        _wait(lambda: _quorum(etcd), "etcd has a quorum again, and an empty store", f"docker logs {next(iter(etcd))}")
        _docker("start", primary)
        _wait(lambda: _leads(primary, primary.removeprefix(prefix)), f"{primary} leads", f"docker logs {primary}")
    finally:
        # One that was not paused yet says so; whatever came before is what is told.
        for name in followers:
            _run(["unpause", name])
    _docker("start", *members)
    print(f"the others follow it: make status STACK={session.stack}")
    return 0


def _containers(api: Any, stack: str, component: str) -> dict[str, str]:
    """Return the component's containers, running or not, each with its image. Raises UserError when there is none."""
    labels = [f"{engine.LABEL}={stack}", f"{COMPONENT}={component}"]
    found = {name_of(c): image_of(c) for c in api.containers(all=True, filters={"label": labels})}
    daemons = {name: image for name, image in sorted(found.items()) if not name.endswith("-config")}
    if not daemons:
        raise UserError(
            f'stack "{stack}" has no container of component "{component}"', f"`make up STACK={stack}` makes it."
        )
    return daemons


def _quorum(etcd: Mapping[str, str]) -> bool:
    """Say whether any member of etcd can write: one that lost its quorum cannot."""
    return any(_exec(name, *ETCD_HEALTH).returncode == 0 for name in etcd)


def _is_empty(etcd: Mapping[str, str], stack: str) -> bool:
    """Say whether etcd answers that it knows no cluster, as one that was just made: Patroni may not even look at it.

    One that cannot be asked is not empty: what is in it would be thrown away.
    """
    key = f"/service/{stack}/initialize"
    asked = [_exec(name, *ETCDCTL, "get", "--print-value-only", key) for name in etcd]
    return any(done.returncode == 0 for done in asked) and not any(done.stdout.strip() for done in asked)


def _status(member: str) -> dict[str, Any]:
    """Return what Patroni says of itself; empty when it does not answer."""
    done = _exec(member, "curl", "-sm", "5", "--cacert", CA_FILE, f"https://localhost:{REST_PORT}/patroni")
    try:
        return dict(json.loads(done.stdout))
    except ValueError:
        return {}


def _leads(member: str, host: str) -> bool:
    """Say whether the store has a member as the leader, and it runs."""
    done = _exec(member, "patronictl", "-c", f"{CONFIG_DIR}/patroni.yml", "list", "--format", "json")
    try:
        rows = json.loads(done.stdout)
    except ValueError:
        return False
    return any(row["Member"] == host and row["Role"] == "Leader" and row["State"] == "running" for row in rows)


def _control(member: str, image: str) -> Control | None:
    """Read the control file of a member that does not run."""
    words = ["run", "--rm", "--network", "none", "--volumes-from", f"{member}:ro", "--entrypoint", "pg_controldata"]
    return parse_control(_run([*words, image, DATA_DIR]).stdout)


def _empty(etcd: str, image: str, token: str) -> None:
    """Delete what a member of etcd stored, and have it begin the store of that token; its container is stopped."""
    words = ["run", "--rm", "--network", "none", "--volumes-from", etcd, "--entrypoint", "sh", image, "-c"]
    _docker(*words, f"rm -rf {ETCD_DIR}/data && echo {token} >{ETCD_DIR}/token")


def _freeze(container: str) -> None:
    """Pause a container. On a busy machine the kernel may need more than one try to freeze all that runs in it."""
    for _ in range(FREEZE_TRIES - 1):
        if _run(["pause", container]).returncode == 0:
            return
        time.sleep(POLL_SECONDS)
    _docker("pause", container)


def _wait(look: Callable[[], bool], what: str, look_at: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not look():
        if time.monotonic() > deadline:
            raise UserError(f"not within {WAIT_SECONDS} s: {what}", f"its log says why: {look_at}")
        time.sleep(POLL_SECONDS)
    print(what)


def _exec(container: str, *words: str) -> subprocess.CompletedProcess[str]:
    return _run(["exec", container, *words])


def _docker(*words: str, within: float = COMMAND_SECONDS) -> None:
    done = _run(words, within)
    if done.returncode:
        raise UserError(f"docker {words[0]} failed: {done.stderr.strip()}", "run it again: it goes on from here.")


def _run(words: Sequence[str], within: float = COMMAND_SECONDS) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(["docker", *words], capture_output=True, text=True, timeout=within, check=False)
    except FileNotFoundError:
        raise UserError("the docker command is missing", "`make setup` installs it.") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"docker {words[0]} did not end within {within:g} s") from None
