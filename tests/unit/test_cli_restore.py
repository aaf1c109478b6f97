"""What `make restore` and `make restore-in-place` make of what was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from cli import inplace, restore, stackfile
from cli.errors import UserError


def test_words_become_keys() -> None:
    wanted = restore.parse(["FROM=prod", "AT=2026-05-01 12:00:00+09", "PAUSE=yes"])
    assert restore.changes(wanted, {}) == ({"from": "prod", "at": "2026-05-01 12:00:00+09", "pause": "true"}, [])


def test_a_new_target_replaces_the_old_one() -> None:
    given, gone = restore.changes(restore.parse(["LSN=0/5", "PAUSE=no"]), {"from": "prod", "at": "…", "pause": True})
    assert (given, gone) == ({"lsn": "0/5", "pause": "false"}, ["at"])


def test_a_decision_alone_keeps_the_target() -> None:
    assert restore.changes(restore.parse(["PAUSE=no"]), {"from": "prod", "at": "…"}) == ({"pause": "false"}, [])


def test_where_the_passphrase_is_kept_is_no_configuration() -> None:
    assert restore.changes(restore.parse(["FROM=prod", "KEY_FILE=key"]), {}) == ({"from": "prod"}, [])


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("WHEN=now", 'error: "WHEN=now" says nothing to a restore'),
        ("AT=", 'error: "AT=" says nothing to a restore'),
        ("PAUSE=maybe", 'error: PAUSE is "maybe"\nHINT: it is yes or no.'),
    ],
)
def test_another_word_is_refused(word: str, text: str) -> None:
    with pytest.raises(UserError) as caught:
        restore.parse([word])
    assert caught.value.text().startswith(text)


@pytest.mark.parametrize(
    "words", [[], ["AT=x", "LSN=0/5"], ["OLD=keep"], ["OLD=remove", "AT=x"], ["FROM=prod"], ["remove"]]
)
def test_a_restore_in_place_is_one_thing(words: list[str]) -> None:
    with pytest.raises(UserError, match="takes one of AT=, NAME= and LSN=, with or without TIMELINE="):
        inplace.parse(words)


def member(role: str, state: str, **tags: bool) -> dict[str, Any]:
    return {"Member": "m", "Role": role, "State": state, **({"Tags": tags} if tags else {})}


@pytest.mark.parametrize(
    ("state", "tags", "follows"),
    [
        ("streaming", {}, True),
        ("streaming", {"nofailover": True}, True),
        ("in archive recovery", {"nofailover": True}, True),
        ("in archive recovery", {}, False),
        ("starting", {"nofailover": True}, False),
    ],
)
def test_a_replica_that_lies_behind_may_still_read_the_archive(
    state: str, tags: dict[str, bool], follows: bool
) -> None:
    rows = [member("Leader", "running"), member("Replica", "streaming"), member("Replica", state, **tags)]
    assert inplace.all_follow(rows) is follows
    assert not inplace.all_follow(rows[1:]), "nobody leads"


def test_a_copied_file_does_not_begin_with_the_same_backup() -> None:
    content = {"config": {"pipe:environment": "test", "pipe:restore": {"from": "prod", "passphrase": {"secure": "v1"}}}}
    assert "restore" not in stackfile.copy(content, "other", 20000)
