"""What an `up` meets on a bad day: others' names and ports, a full disk, another database, another `up`, a failover.

Each refusal is one clear sentence, a status that is not 0, and nothing is changed. One stack serves all of them.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from cli import state
from cli.__main__ import main
from cli.obstacles import rules
from cli.session import Session
from infra.settings import check
from provider.patroni.dynamic_config import TAKEN_BACK
from tests import timeouts
from tests.asserts.eventually import eventually
from tests.asserts.replication import assert_replicated, leader, roles
from tests.asserts.traces import traces
from tests.fixtures.stacks import Stack, throw_away_stack

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("obstacles")]

WAITS = "another `up` works on stack"
EMPTY_AND_INITIALIZE = "rm -rf /var/lib/postgresql/data && initdb -D /var/lib/postgresql/data"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A running stack with synchronous commits, made by two `up`s that began at once."""
    with throw_away_stack("obstacles") as made, ExitStack() as files:
        made.prepare()
        made.configure("failover", synchronous="on")
        logs = [files.enter_context(tempfile.TemporaryFile("w+")) for _ in range(2)]
        both = [made.start("make", "up", f"STACK={made.name}", output=log) for log in logs]
        try:
            ended = [one.wait(timeouts.UP) for one in both]
        finally:
            for one in both:
                if one.poll() is None:
                    os.killpg(one.pid, signal.SIGKILL)
                    one.wait()
        said = [(log.seek(0), log.read())[1] for log in logs]
        assert ended == [0, 0], said
        assert sum(WAITS in text for text in said) == 1, "one of them waited"
        yield made


@contextmanager
def untouched(stack: Stack) -> Iterator[None]:
    """What is on the engine before and after is the same."""

    def seen() -> set[tuple[Any, ...]]:
        return {(c.name, c.id, c.attrs["State"]["StartedAt"]) for c in stack.containers(running=False)}

    before, things = seen(), sorted(traces(stack.name))
    yield
    assert (seen(), sorted(traces(stack.name))) == (before, things)


def refused(stack: Stack, *command: str) -> str:
    """Run the command, which must refuse; return what it said on its error channel."""
    done = stack.run(*(command or ("make", "up", f"STACK={stack.name}")), timeout=timeouts.UP)
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    return done.stderr


def test_two_first_ups_at_once_make_one_stack(stack: Stack) -> None:
    assert_replicated(stack, replicas=1)
    stack.pulumi("preview", "--expect-no-changes")


def test_names_and_ports_of_others_are_all_named_before_anything_is_made(stack: Stack) -> None:
    image = stack.container("etcd-0").attrs["Config"]["Image"]
    with throw_away_stack("new") as new, ExitStack() as others:
        new.prepare()
        container = stack.engine.containers.create(image, name=f"pipe-{new.name}-etcd-0")
        others.callback(container.remove)
        for name, labels in {"member-0-data": {"pipe.stack": "other"}, "repository-archive": {}}.items():
            volume = stack.engine.volumes.create(f"pipe-{new.name}-{name}", labels=labels)
            others.callback(volume.remove)
        listener = others.enter_context(socket.create_server(("127.0.0.1", port_base(new))))
        for command in (("make", "up", f"STACK={new.name}"), ("bin/pulumi", "up", "--yes")):
            facts = [line.removeprefix("error: ") for line in refused(new, *command).splitlines() if "error: " in line]
            needs = f'and stack "{new.name}" needs the name'
            assert facts == [
                f'container "pipe-{new.name}-etcd-0" was not made by this bundle, {needs}',
                f'volume "pipe-{new.name}-member-0-data" belongs to stack "other", {needs}',
                f'volume "pipe-{new.name}-repository-archive" was not made by this bundle, {needs}',
                f"port {listener.getsockname()[1]} of the stack is taken by another program of this machine",
            ]
        assert traces(new.name) == []
        assert state.read(Session.current(new.name)) is None


def port_base(stack: Stack) -> int:
    return check.check(stack.name).network.port_base


def test_ports_of_another_stack_are_taken_by_its_containers(stack: Stack) -> None:
    with throw_away_stack("same-ports") as new:
        new.prepare()
        new.configure("network", port_base=port_base(stack))
        said = refused(new)
        assert f'container "pipe-{stack.name}-member-0"' in said
        assert f'container "pipe-{stack.name}-proxy-0"' in said
        assert traces(new.name) == []


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"PULUMI_CONFIG_PASSPHRASE": "wrong"}, "incorrect passphrase"),
        ({"DOCKER_HOST": "tcp://127.0.0.1:9"}, "Docker's engine does not answer"),
    ],
    ids=["passphrase", "engine"],
)
def test_a_wrong_environment_is_one_sentence(stack: Stack, settings: dict[str, str], sentence: str) -> None:
    wrong = Stack(stack.name, stack.engine, settings=settings)
    with untouched(stack):
        for command in ((".venv/bin/python", "-m", "cli", "up"), ("bin/pulumi", "up", "--yes")):
            said = refused(wrong, *command)
            assert sentence in said
            assert said.count("error: ") == 1


def test_a_disk_that_is_nearly_full(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rules, "FREE_MB_OF_A_MEMBER", 10**9)
    monkeypatch.setenv("STACK", stack.name)
    with untouched(stack):
        assert main(["up"]) == 1
    fact, *_, last = capsys.readouterr().err.splitlines()
    assert re.match(r"error: the disk of Docker's engine \(.*\) has \d+ MB free, and 2 members may need", fact)
    assert last == "nothing was changed"


def test_a_database_of_another_cluster_is_not_taken_for_the_stacks(stack: Stack) -> None:
    members = assert_replicated(stack, replicas=1)
    replica = next(name for name, (role, _) in members.items() if role != "Leader")
    member, agent = stack.container(replica), stack.container(replica.replace("member", "agent"))
    member.stop()
    agent.stop()
    volumes = {f"pipe-{stack.name}-{replica}-data": {"bind": "/var/lib/postgresql", "mode": "rw"}}
    command = {"entrypoint": ["sh", "-c", EMPTY_AND_INITIALIZE], "volumes": volumes, "network_mode": "none"}
    stack.engine.containers.run(member.image, remove=True, **command)  # type: ignore[call-overload]

    with untouched(stack):
        said = refused(stack)

    assert f'volume "pipe-{stack.name}-{replica}-data" holds another database (system identifier ' in said
    # As the hint says.
    for container in (member, agent):
        container.remove(force=True)
    stack.engine.volumes.get(f"pipe-{stack.name}-{replica}-data").remove()
    done = stack.run("make", "up", f"STACK={stack.name}", "ARGS=--refresh", timeout=timeouts.UP)
    assert done.returncode == 0, done.stdout + done.stderr
    assert_replicated(stack, replicas=1)


def test_what_is_gone_from_the_engine_is_made_anew(stack: Stack) -> None:
    """Also the only way to the database: nothing of that is read before it is there."""
    lost = ("proxy-0", leader(stack), "agent-0", "scheduler")
    for name in lost:
        stack.container(name).remove(force=True)
    said = stack.up()
    assert "recovering: " in said
    assert " are gone from the engine\n" in said
    assert_replicated(stack, replicas=1)
    with stack.connect() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    stack.pulumi("preview", "--expect-no-changes")


def test_an_up_while_a_failover_goes_on_loses_nothing(stack: Stack) -> None:
    # Nobody else may lead before commits wait for it, which a member that was just made anew still has to earn.
    eventually(
        lambda: roles(stack),
        lambda seen: ("Sync Standby", "streaming") in seen.values(),
        timeouts.HEALTH,
        "a successor",
    )
    lost = leader(stack)
    with stack.ledger() as ledger:
        stack.configure("database", parameters={"work_mem": "5MB"})
        stack.container(lost).kill()

        during = stack.run("make", "up", f"STACK={stack.name}", timeout=timeouts.UP)

        said = during.stdout + during.stderr
        assert during.returncode != 0
        assert f'error: "pipe-{stack.name}-{lost}" does not run, so nobody can tell whether its PostgreSQL' in said
        assert f"HINT: {TAKEN_BACK}" in said
        assert "Traceback" not in said
        eventually(lambda: leader_but(stack, lost), bool, timeouts.FAILOVER, "another member leads")
        stack.container(lost).start()
        stack.up()
        assert_replicated(stack, replicas=1)
        ledger.wait_for_rows(1)
    assert ledger.refusals() == []
    with stack.connect() as connection:
        assert ledger.verdict(connection).is_whole
    # A leader that was promoted a moment ago reads it when Patroni's loop is done with that.
    eventually(lambda: stack.sql("SHOW work_mem"), lambda value: value == ["5MB"], timeouts.RELOAD, "work_mem is 5MB")
    stack.pulumi("preview", "--expect-no-changes")


def leader_but(stack: Stack, lost: str) -> str | None:
    """The member that leads, if it is another one."""
    return next((name for name, (role, _) in roles(stack).items() if role == "Leader" and name != lost), None)
