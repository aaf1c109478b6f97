"""What `make restore-in-place` does to a stack, and in which order: nothing stops before all that can be is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.errors import UserError
from cli.inplace import members, run
from cli.inplace.cluster import numbered
from cli.session import Session
from cli.status import collect
from provider.errors import PipeError
from provider.restore import replay
from setup.paths import Paths
from tests.unit.imagined import Place, Stack, stand


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Stack]:
    return partial(stand, monkeypatch)


@pytest.fixture
def take_back(tmp_path: Path) -> Callable[..., int]:
    def take(words: Sequence[str] = ("NAME=then",), **environ: str) -> int:
        return run.run(Session("dev", Paths(tmp_path), environ), words)

    return take


def steps(stack: Stack) -> list[str]:
    return [step for step in stack.done if step != "remove"]


def test_it_looks_once_then_stops_replicas_first_and_the_restored_member_leads(
    made: Callable[..., Stack], take_back: Callable[..., int]
) -> None:
    stack = made()
    assert take_back() == 0
    assert steps(stack) == [
        "find",
        "stop pipe-dev-member-1",
        "stop pipe-dev-member-0",
        "restore",
        "set aside 0",
        "set aside 1",
        "start pipe-dev-member-0",
        "back up --repo=1",
        "start pipe-dev-member-1",
    ]
    assert stack.data == {0: {"aside", "restored"}, 1: {"aside"}}
    assert stack.forgotten == {"/service/dev/leader", "/service/dev/initialize"}


def test_one_that_was_interrupted_after_it_took_effect_goes_on_and_does_not_go_back_again(
    made: Callable[..., Stack], take_back: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    stack = made(fails={"back up --repo=1": KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        take_back()
    stack.done.clear()
    assert take_back() == 0
    assert steps(stack) == ["start pipe-dev-member-0", "back up --repo=1", "start pipe-dev-member-1"]
    assert ' went back to restore point "then" at 2' in capsys.readouterr().out
    stack.done.clear()
    assert take_back() == 0
    assert "restore" in stack.done, "what has come to its end is done again"


def test_a_restore_is_over_when_the_old_data_goes(made: Callable[..., Stack], take_back: Callable[..., int]) -> None:
    """Also one that was interrupted, and finished by hand."""
    stack = made(noted='20260501T000000Z 2000 restore point "then"')
    assert take_back(["OLD=remove"]) == 0
    assert stack.noted == ""


def test_another_target_than_that_of_an_interrupted_one_is_gone_back_to(
    made: Callable[..., Stack], take_back: Callable[..., int]
) -> None:
    stack = made(noted='20260501T000000Z 2000 restore point "another"')
    assert take_back() == 0
    assert "restore" in stack.done
    assert stack.noted == ""


def test_wal_that_no_archive_has_is_told_of(
    made: Callable[..., Stack], take_back: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    made(waiting="000000010000000000000007\n000000010000000000000008\n", members=[0], known=1)
    assert take_back() == 0
    told = "2 WAL files of member-0 are not in every repository, the first is 000000010000000000000007: without them"
    assert told in capsys.readouterr().out


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "the first member is missing": (
        {"members": [1]},
        'error: a restore in place needs every member of stack "dev", and there is no container "pipe-dev-member-0"\n'
        "HINT: `make up STACK=dev` makes what is missing; then run this again.",
    ),
    "members that the outputs know are missing": (
        {"members": [0], "known": 3},
        'error: a restore in place needs every member of stack "dev", and there is no container "pipe-dev-member-1" '
        'and "pipe-dev-member-2"\n'
        "HINT: `make up STACK=dev` makes what is missing; then run this again.",
    ),
    "etcd is away": (
        {"etcd_down": (0, 1, 2)},
        'error: etcd of stack "dev" does not answer (pipe-dev-etcd-0, pipe-dev-etcd-1, pipe-dev-etcd-2), and without '
        "it no restored member may lead\n"
        "HINT: start it (docker start), or make it anew: docs/disaster-runbook.md, `make rebuild-consensus`; then run "
        "this again",
    ),
    "the scheduler is away": (
        {"away": ("pipe-dev-scheduler",)},
        'error: "pipe-dev-scheduler" does not run, which takes the backup that a restore in place ends with\n'
        "HINT: docker start pipe-dev-scheduler, or where it is gone `make up STACK=dev`; then run this again",
    ),
    "the disk is too full": (
        {"free_mb": 5023},
        'error: the disk of stack "dev" has 5023 MB free, and a restore in place needs 5024 MB: a second copy of 2000 '
        "MB for each of 2 members, and 1024 MB for WAL\n"
        "HINT: free some space: `make restore-in-place STACK=dev OLD=remove` removes what earlier ones left; whoever "
        "knows better runs it again with PIPE_IGNORE_FREE_SPACE=1",
    ),
    "the target is not kept": ({"fails": {"find": PipeError("not kept")}}, "error: not kept"),
}


@pytest.mark.parametrize(("about", "text"), REFUSALS.values(), ids=list(REFUSALS))
def test_what_is_refused_stops_nothing(
    made: Callable[..., Stack], take_back: Callable[..., int], about: dict[str, Any], text: str
) -> None:
    stack = made(**about)
    with pytest.raises(UserError) as caught:
        take_back()
    assert caught.value.text() == text
    assert [step for step in stack.done if step != "find"] == []


def test_whoever_knows_better_goes_on_with_a_disk_that_seems_too_full(
    made: Callable[..., Stack], take_back: Callable[..., int]
) -> None:
    made(free_mb=10)
    assert take_back(PIPE_IGNORE_FREE_SPACE="1") == 0


def test_numbers_come_from_names() -> None:
    names = ["pipe-dev-member-10", "pipe-dev-member-2", "pipe-dev-member-2-config", "pipe-dev-two-member-1"]
    assert numbered("dev", "member", names) == {2: "pipe-dev-member-2", 10: "pipe-dev-member-10"}


def test_each_member_keeps_its_own_number_when_one_in_the_middle_is_gone_for_good(
    made: Callable[..., Stack], take_back: Callable[..., int]
) -> None:
    stack = made(members=[0, 2], known=1, data={0: {"data"}, 2: {"data"}})
    assert take_back() == 0
    assert stack.data == {0: {"aside", "restored"}, 2: {"aside"}}


def test_any_member_of_etcd_will_do(made: Callable[..., Stack], take_back: Callable[..., int]) -> None:
    stack = made(etcd_down=(0, 2))
    assert take_back() == 0
    assert stack.forgotten == {"/service/dev/leader", "/service/dev/initialize"}


@pytest.mark.parametrize("failing", ["stop pipe-dev-member-0", "restore"])
@pytest.mark.parametrize("error", [PipeError("no space left on device"), KeyboardInterrupt()], ids=["full", "Ctrl-C"])
def test_a_restore_that_fails_leaves_no_half_copy_and_the_stack_goes_on(
    made: Callable[..., Stack], take_back: Callable[..., int], failing: str, error: Exception
) -> None:
    """The half copy may be what filled the disk: it goes before anything starts."""
    stack = made(fails={failing: error})
    with pytest.raises((UserError, KeyboardInterrupt)):
        take_back()
    assert stack.data == {0: {"data"}, 1: {"data"}}
    # One that was told to stop does so, whoever waits for it, and what stops cannot be started.
    again = [f"{what} pipe-dev-member-{number}" for number in (0, 1) for what in ("stop", "start")]
    assert steps(stack)[-4:] == again
    if failing == "restore":
        assert steps(stack)[-5] == "remove restoring"


def test_etcd_that_went_away_meanwhile_leaves_the_data_where_it_was(
    made: Callable[..., Stack], take_back: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = made()

    def away(there: Place, *, aside: bool) -> None:
        there.content.add("restored")
        stack.etcd_down = (0, 1, 2)

    monkeypatch.setattr(replay, "finish", away)
    with pytest.raises(UserError, match="etcd of stack"):
        take_back()
    assert stack.data == {0: {"data"}, 1: {"data"}}
    assert steps(stack)[-1] == "start pipe-dev-member-1"


def test_a_run_after_an_interrupted_one_that_fails_starts_nobody_without_data(
    made: Callable[..., Stack], take_back: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """The first member would begin with an empty database, and the others would follow it."""
    stack = made(data={0: {"aside"}, 1: {"data"}}, fails={"restore": PipeError("no space left on device")})
    with pytest.raises(UserError, match="no space left on device"):
        take_back()
    assert not [step for step in stack.done if step.startswith("start")]
    assert "the members stay stopped: an interrupted run has set their data aside" in capsys.readouterr().out


def test_what_fails_once_the_data_is_aside_says_how_to_go_on(
    made: Callable[..., Stack], take_back: Callable[..., int]
) -> None:
    made(fails={"set aside 1": PipeError("the engine is gone", "start it")})
    with pytest.raises(UserError) as caught:
        take_back()
    assert caught.value.fact.startswith("the engine is gone; the members stay stopped, what they had is in ")
    assert caught.value.hint == (
        "start it; when the cause is gone, run the same command again: it begins anew and goes on to the end"
    )


def test_who_stops_it_once_the_data_is_aside_is_told_where_it_is(
    made: Callable[..., Stack], take_back: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    made(fails={"set aside 1": KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        take_back()
    assert "  the members stay stopped, what they had is in " in capsys.readouterr().out


def test_every_repository_that_answers_gets_a_full_backup_and_the_others_are_named(
    made: Callable[..., Stack],
    take_back: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stack = made(listed=("volume", "s3", "sftp", "s3"), fails={"back up --repo=4": PipeError("it is gone")})
    status = [{"key": 3, "status": {"code": 99, "message": "no route"}}]
    monkeypatch.setattr(collect, "backups", lambda _: [{"repo": status}])
    assert take_back() == 0
    taken = [step for step in stack.done if step.startswith("back up")]
    assert taken == ["back up --repo=1", "back up --repo=2", "back up --repo=4"]
    # Those that replicas are not made from come when every member is there.
    assert stack.done.index("start pipe-dev-member-1") < stack.done.index("back up --repo=2")
    text = capsys.readouterr().out
    assert "\nrepository 3 (sftp) has no full backup of this timeline: no route\n" in text
    assert "\nrepository 4 (s3) has no full backup of this timeline: [103] it is gone\n" in text
    assert "repository 2 (s3)" not in text


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five minutes pass whenever somebody looks at the clock."""
    moments = count(0, 300)
    clock = SimpleNamespace(monotonic=lambda: next(moments), sleep=lambda _: None)
    monkeypatch.setattr(members, "time", clock)


def test_as_long_as_copies_grow_they_are_waited_for(
    made: Callable[..., Stack],
    take_back: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hurry(monkeypatch)
    made(moving=[{"pipe-dev-member-1": size} for size in range(0, 2000, 100)])
    assert take_back() == 0
    assert "  pipe-dev-member-1 has 1900 of about 2000 MB\n" in capsys.readouterr().out


def test_a_copy_that_stands_still_is_named_and_the_other_repositories_are_served_all_the_same(
    made: Callable[..., Stack], take_back: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    # It begins anew again and again.
    stack = made(listed=("volume", "s3"), moving=[{"pipe-dev-member-1": size} for size in [0, 500, 900] * 9])
    with pytest.raises(UserError) as caught:
        take_back()
    assert caught.value.text() == (
        "error: the stack is restored and its primary serves, but for 600 s nothing has moved at pipe-dev-member-1; "
        "the members are: {'member-0': ('Leader', 'running'), 'member-1': ('Replica', 'creating replica')}\n"
        "HINT: the logs say why: docker logs pipe-dev-member-1; a member follows by itself once the cause is gone"
    )
    assert stack.done[-1] == "back up --repo=2"


def test_old_data_stays_while_a_member_has_nothing_else(
    made: Callable[..., Stack], take_back: Callable[..., int]
) -> None:
    stack = made(moving=[{"pipe-dev-member-1": 1}])
    with pytest.raises(UserError, match='the old data of stack "dev" stays: '):
        take_back(["OLD=remove"])
    assert stack.done == []
