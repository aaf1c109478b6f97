"""What stands in an `up`'s way: which sight gives which sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cli.engine import Kind
from cli.obstacles.rules import Obstacles, is_name_of, obstacles
from cli.obstacles.sight import Database, Named, Sight

CLEAR = Sight("mine", members=2, data_root="/var/lib/docker", free_mb=50_000)
MEMBER_0, MEMBER_1 = "pipe-mine-member-0-data", "pipe-mine-member-1-data"


def texts(sight: Sight) -> list[str]:
    return [error.text() for error in obstacles(sight)]


def test_with_nothing_in_the_way_nothing_is_said() -> None:
    assert texts(CLEAR) == []


@pytest.mark.parametrize(
    ("kind", "name", "is_ours"),
    [
        ("container", "pipe-mine-member-0", True),
        ("container", "pipe-mine-member-0-config", True),
        ("container", "pipe-mine-proxy-1", True),
        ("container", "pipe-mine-repository", True),
        ("container", "pipe-mine-member-0-data", False),
        ("container", "pipe-mine-too-member-0", False),
        ("container", "pipe-mine-notes", False),
        ("volume", "pipe-mine-member-0-data", True),
        ("volume", "pipe-mine-repository-archive", True),
        ("volume", "pipe-mine-member-0", False),
        ("volume", "pipe-mine-proxy-member-0-data", False),
        ("network", "pipe-mine", True),
        ("network", "pipe-mine-too", False),
    ],
)
def test_a_name_is_the_stacks_only_when_it_would_give_it(kind: Kind, name: str, is_ours: bool) -> None:
    assert is_name_of("mine", Named(kind, name, None)) is is_ours


def test_what_has_our_label_is_ours() -> None:
    assert texts(replace(CLEAR, named=[Named("container", "pipe-mine-member-0", "mine")])) == []


def test_a_container_that_nobody_labelled() -> None:
    assert texts(replace(CLEAR, named=[Named("container", "pipe-mine-member-0", None)])) == [
        'error: container "pipe-mine-member-0" was not made by this bundle, and stack "mine" needs the name\n'
        "HINT: rename or remove it (`docker container inspect pipe-mine-member-0` shows what it is), or give the stack "
        "another name."
    ]


def test_a_volume_of_another_stack() -> None:
    assert texts(replace(CLEAR, named=[Named("volume", MEMBER_0, "other")])) == [
        f'error: volume "{MEMBER_0}" belongs to stack "other", and stack "mine" needs the name\n'
        f"HINT: rename or remove it (`docker volume inspect {MEMBER_0}` shows what it is), or give the stack another "
        "name."
    ]


def test_ports_that_others_have_are_named_with_them() -> None:
    ports = {15400: 'container "web"', 15401: None, 15408: "another program of this machine"}
    assert texts(replace(CLEAR, ports=ports)) == [
        'error: port 15400, 15408 of the stack is taken by another program of this machine and container "web"\n'
        "HINT: free it, or set another pipe:network.port_base in the stack's file."
    ]


def test_ports_that_the_stack_itself_publishes_are_free_for_it() -> None:
    ports = {15400: 'container "pipe-mine-proxy-0"'}
    assert texts(replace(CLEAR, ports=ports, own_ports=frozenset({15400}))) == []


def test_a_disk_that_is_nearly_full() -> None:
    assert texts(replace(CLEAR, free_mb=2047)) == [
        'error: the disk of Docker\'s engine ("/var/lib/docker") has 2047 MB free, and 2 members may need 2048 MB for '
        "WAL alone\n"
        "HINT: free some space; for an `up` that itself frees space, run again with PIPE_IGNORE_FREE_SPACE=1."
    ]
    assert texts(replace(CLEAR, free_mb=2048)) == []
    assert texts(replace(CLEAR, free_mb=None)) == [], "the engine is on another machine"
    assert obstacles(replace(CLEAR, free_mb=0), ignore_free_space=True) == []


def test_a_database_in_a_volume_that_the_state_does_not_have() -> None:
    assert texts(replace(CLEAR, databases={MEMBER_0: Database(5, known=False)})) == [
        f'error: volume "{MEMBER_0}" holds a database that stack "mine" did not make (system identifier 5)\n'
        f"HINT: if nobody needs it: `docker volume rm {MEMBER_0}`; if it is this stack's, bring back the state that "
        "has it: `bin/pulumi stack import`."
    ]


def test_a_member_with_another_database_than_the_cluster() -> None:
    databases = {MEMBER_0: Database(5, known=True), MEMBER_1: Database(6, known=True)}
    assert texts(replace(CLEAR, databases=databases, identifier=6)) == [
        f'error: volume "{MEMBER_0}" holds another database (system identifier 5) than that of stack "mine" (6)\n'
        "HINT: if nobody needs that data: `docker rm -f pipe-mine-member-0 pipe-mine-agent-0`, then "
        f"`docker volume rm {MEMBER_0}`, then `make up STACK=mine` makes the member anew; "
        "otherwise put the right volume back first."
    ]


@pytest.mark.parametrize("known", [True, False], ids=["both in the state", "one in the state"])
def test_while_etcd_does_not_say_whose_database_is_right_none_is_accused(known: bool) -> None:
    databases = {MEMBER_0: Database(5, known=True), MEMBER_1: Database(6, known=known)}
    assert texts(replace(CLEAR, databases=databases)) == [
        'error: volumes of stack "mine" hold different databases, and etcd does not say which one is right: '
        f'"{MEMBER_0}" (system identifier 5), "{MEMBER_1}" (system identifier 6)\n'
        "HINT: remove none of them; bring etcd back first (docs/disaster-runbook.md), then run again: it knows which."
    ]


def test_a_volume_that_fell_out_of_the_state_and_holds_the_stacks_database_is_taken() -> None:
    databases = {MEMBER_0: Database(5, known=True), MEMBER_1: Database(5, known=False)}
    assert texts(replace(CLEAR, databases=databases)) == []


def test_all_obstacles_are_shown_at_once() -> None:
    sight = replace(CLEAR, named=[Named("network", "pipe-mine", None)], free_mb=1)
    text = Obstacles(obstacles(sight)).text()
    assert text.count("error: ") == text.count("HINT: ") == 2
    assert text.splitlines()[-1] == "nothing was changed"
