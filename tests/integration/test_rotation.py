"""Passwords change under an application that writes: no write fails, and nothing goes on with an old password.

One stack and two changes of it, each a fixture, so that tests may run in any order and by themselves: an overlapping
rotation of the application, ended together with rotations of other roles; then a password resource that is replaced by
hand, and, since that is an `up`, tenant isolation turned on.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from tests import timeouts
from tests.asserts.eventually import eventually
from tests.fixtures.stacks import ROOT, Stack

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("rotation")]

TARGETS = ("read_write", "read_only")
Session = psycopg.Connection[tuple[Any, ...]]


@dataclass
class Application:
    """Writes row after row through the read-write endpoint, and takes new credentials when it is told to."""

    stack: Stack
    acknowledged: dict[UUID, str] = field(default_factory=dict)
    """Rows that the database has confirmed, each with the login that wrote it."""
    failures: list[str] = field(default_factory=list)
    _moves: threading.Event = field(default_factory=threading.Event)
    _stops: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        session: Session | None = None
        while not self._stops.is_set():
            row = uuid4()
            try:
                if session is None or self._moves.is_set():
                    if session is not None:
                        session.close()
                    self._moves.clear()
                    session = self.stack.connect()
                session.execute("INSERT INTO pipe.organizations (id, name) VALUES (%s, 'rotation')", (row,))
                self.acknowledged[row] = session.info.user
            except psycopg.Error as error:
                self.failures.append(str(error))
                self._moves.set()
                self._stops.wait(timeouts.POLL)
        if session is not None:
            session.close()

    def move_over(self) -> None:
        """Connect anew, with the stack's present outputs."""
        self._moves.set()
        self.wait_for_writes()

    def wait_for_writes(self) -> None:
        before = len(self.acknowledged)
        eventually(lambda: len(self.acknowledged), lambda now: now > before + 10, timeouts.COMMAND, "more rows written")

    @contextmanager
    def running(self) -> Iterator[Application]:
        thread = threading.Thread(target=self.run)
        thread.start()
        try:
            self.wait_for_writes()
            yield self
        finally:
            self._stops.set()
            thread.join(timeouts.COMMAND)


def connect(uri: str, stack: Stack) -> Session:
    authority = str(ROOT / ".pipe" / stack.name / "ca-of-test.pem")
    return psycopg.connect(uri, sslrootcert=authority, connect_timeout=timeouts.CONNECT, autocommit=True)


def answers(session: Session) -> bool:
    try:
        session.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def user_of(uri: str) -> str:
    return uri.removeprefix("postgresql://").partition(":")[0]


@dataclass(frozen=True)
class Before:
    """What there was before anything was rotated: sessions of each login through both endpoints, and its URIs."""

    sessions: dict[str, dict[str, Session]]
    uris: dict[str, dict[str, str]]


@dataclass(frozen=True)
class Rotation:
    """What was seen while the application changed its login."""

    application: Application
    old_went_on: bool
    """Whether sessions of the old login answered while both were open."""
    new_login: str
    printed: str


@pytest.fixture(scope="module")
def before(own_stack: Stack) -> Iterator[Before]:
    with ExitStack() as sessions:
        opened = {
            login: {target: sessions.enter_context(own_stack.connect(login, target)) for target in TARGETS}
            for login in ("app", "readonly", "migrator", "auditor")
        }
        yield Before(opened, dict(own_stack.outputs["connections"]))


@pytest.fixture(scope="module")
def rotation(own_stack: Stack, before: Before) -> Rotation:
    """The application moves to its other login while it writes; then the old one ends, and passwords of other roles."""
    application = Application(own_stack)
    with application.running():
        own_stack.configure("credentials", app=1, app_overlap=True)
        own_stack.up()
        application.wait_for_writes()
        old_went_on = all(answers(session) for session in before.sessions["app"].values())
        new_login = user_of(own_stack.outputs["connections"]["app"]["read_write"])
        application.move_over()

        own_stack.configure("credentials", app_overlap=False, readonly=1, migrator=1)
        printed = own_stack.up()
        application.wait_for_writes()
    return Rotation(application, old_went_on, new_login, printed)


@pytest.fixture(scope="module")
def auditor_went_on(before: Before, rotation: Rotation) -> bool:
    """Whether the auditor's sessions answered after a rotation that was not about it."""
    return all(answers(session) for session in before.sessions["auditor"].values())


@pytest.fixture(scope="module")
def replaced(own_stack: Stack, auditor_went_on: bool) -> None:
    """The auditor's password is replaced by name; the same `up` turns tenant isolation on."""
    kind = "pipe:index:Credentials$random:index/randomPassword:RandomPassword"
    urn = f"urn:pulumi:{own_stack.name}::pipe::{kind}::credentials-auditor"
    own_stack.configure("data", tenant_isolation=True)
    own_stack.pulumi("up", "--yes", "--skip-preview", "--replace", urn, timeout=timeouts.UP)
    own_stack.__dict__.pop("outputs", None)


def test_the_application_changes_its_login_without_a_failed_write(
    own_stack: Stack, before: Before, rotation: Rotation
) -> None:
    application = rotation.application
    assert application.failures == []
    assert set(application.acknowledged.values()) == {"pipe_app", "pipe_app_b"}
    assert rotation.old_went_on, "both logins work while the settings say so"
    assert rotation.new_login == "pipe_app_b"
    with own_stack.connect("migrator") as owner:
        found = owner.execute("SELECT id FROM pipe.organizations WHERE name = 'rotation'").fetchall()
    assert {row for (row,) in found} == application.acknowledged.keys()
    assert 'ended sessions of "pipe_app" that began with its old password' in rotation.printed
    assert "not known during preview" not in rotation.printed, "the migrator's provider is told a password to come"
    for uri in before.uris["app"].values():
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            connect(uri, own_stack)


@pytest.mark.parametrize("login", ["app", "readonly", "migrator"])
def test_sessions_of_the_old_password_are_gone_on_every_member(before: Before, rotation: Rotation, login: str) -> None:
    assert not any(answers(session) for session in before.sessions[login].values())


@pytest.mark.parametrize("login", ["readonly", "migrator"])
def test_a_rotated_password_replaces_the_old_one(
    own_stack: Stack, before: Before, rotation: Rotation, login: str
) -> None:
    for target in TARGETS:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            connect(before.uris[login][target], own_stack)
        assert answers(own_stack.connect(login, target))


def test_after_a_rotation_nothing_is_left_to_do(own_stack: Stack, rotation: Rotation) -> None:
    own_stack.pulumi("refresh", "--yes", "--expect-no-changes", timeout=timeouts.UP)
    own_stack.pulumi("preview", "--expect-no-changes", timeout=timeouts.UP)


def test_a_replaced_password_resource_does_the_same(
    own_stack: Stack, before: Before, auditor_went_on: bool, replaced: None
) -> None:
    assert auditor_went_on, "no rotation was about it before"
    assert not any(answers(session) for session in before.sessions["auditor"].values())
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(before.uris["auditor"]["read_write"], own_stack)
    assert answers(own_stack.connect("auditor"))


def test_isolation_is_turned_on_under_a_running_application(own_stack: Stack, replaced: None) -> None:
    count = "SELECT count(*) FROM pipe.organizations"
    with own_stack.connect("migrator") as owner, own_stack.connect() as session:
        row = owner.execute("SELECT id FROM pipe.organizations LIMIT 1").fetchone()
        assert row is not None
        assert session.execute(count).fetchone() == (0,)
        with session.transaction():
            session.execute("SELECT set_config('pipe.organization_id', %s, true)", (str(row[0]),))
            assert session.execute(count).fetchone() == (1,)
        assert session.execute(count).fetchone() == (0,)
