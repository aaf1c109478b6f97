"""What `make restore` and `make restore-in-place` make of what was asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli import restore, source, stackfile
from cli.errors import UserError
from cli.inplace import members, words
from cli.session import Session
from cli.source import Source
from infra import repositories
from infra.settings import load
from setup.paths import checkout


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
        ("REPOSITORY=tape", 'error: REPOSITORY is "tape"\nHINT: it is volume, s3, sftp.'),
    ],
)
def test_another_word_is_refused(word: str, text: str) -> None:
    with pytest.raises(UserError) as caught:
        restore.parse([word])
    assert caught.value.text().startswith(text)


@pytest.mark.parametrize(
    "asked",
    [
        [],
        ["AT=x", "LSN=0/5"],
        ["OLD=keep"],
        ["OLD=remove", "AT=x"],
        ["OLD=remove", "REPOSITORY=s3"],
        ["FROM=prod"],
        ["remove"],
    ],
)
def test_a_restore_in_place_is_one_thing(asked: list[str]) -> None:
    with pytest.raises(UserError, match="takes one of AT=, NAME= and LSN=, with or without TIMELINE="):
        words.parse(asked)


@pytest.mark.parametrize("word", ["AT", "NAME", "LSN", "TIMELINE", "REPOSITORY", "OLD"])
def test_an_empty_value_is_not_the_end_of_the_archive(word: str) -> None:
    with pytest.raises(UserError) as caught:
        words.parse([f"{word}="])
    assert caught.value.text() == (
        f'error: "{word}=" says nothing to a restore in place\nHINT: give it a value, or leave it out.'
    )


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
    assert members.all_follow(rows) is follows
    assert not members.all_follow(rows[1:]), "nobody leads"


def test_a_copied_file_does_not_begin_with_the_same_backup() -> None:
    content = {"config": {"pipe:environment": "test", "pipe:restore": {"from": "prod", "passphrase": {"secure": "v1"}}}}
    assert "restore" not in stackfile.copy(content, "other", 20000)


S3: dict[str, Any] = {
    "endpoint": "s3.example.com",
    "port": 7070,
    "bucket": "b",
    "access_key": "A",
    "secret_key": "hidden",
}
OUTPUTS: dict[str, Any] = {
    "backup": {"repositories": ["s3", "volume"]},
    "backup_passphrase": "pass",
    "backup_access": {"passphrase": "pass", "repositories": ["s3", "volume"], "s3": S3},
}


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session in which only stack "prod" has a state."""

    def outputs(session: Session) -> dict[str, Any]:
        if session.stack != "prod":
            raise UserError(f'stack "{session.stack}" has no outputs: there is no such stack')
        return OUTPUTS

    monkeypatch.setattr(Session, "outputs", outputs)
    return Session("new", checkout(), {})


def test_the_first_of_the_list_is_read_or_the_one_that_is_named(session: Session) -> None:
    first, second = source.find(session, "prod"), source.find(session, "prod", "volume")
    assert first == Source("prod", "s3", "pass", S3, ("s3", "volume"))
    assert second == Source("prod", "volume", "pass", listed=("s3", "volume"))
    assert (first.number, second.number) == (1, 2)


def test_replicas_are_made_from_the_first_repository_that_answers(session: Session) -> None:
    """So that one gets the backup after a restore in place, or they would begin on a timeline that was left."""
    first, second = source.find(session, "prod"), source.find(session, "prod", "volume")
    well, away = ({"key": 1, "status": {"code": code, "message": ""}} for code in (0, 99))
    assert source.first_to_answer(second, [{"repo": [well]}]) == 1
    assert source.first_to_answer(second, [{"repo": [away]}]) == 2
    assert source.first_to_answer(second, None) == 2
    assert source.first_to_answer(first, [{"repo": [away]}]) == 1


def test_a_stack_that_does_not_tell_how_its_bucket_is_reached(session: Session) -> None:
    source.refuse_unreached(source.find(session, "prod"), "")
    source.refuse_unreached(Source("prod", "volume", "pass"), "")
    with pytest.raises(UserError) as caught:
        source.refuse_unreached(Source("prod", "s3", "pass"), "REPOSITORY=volume reads the volume.")
    assert caught.value.text() == (
        'error: nothing says how repository s3 of stack "prod" is reached\n'
        "HINT: `make up STACK=prod` adds it to the outputs; REPOSITORY=volume reads the volume."
    )


def test_a_repository_that_has_left_the_list_is_refused(session: Session, tmp_path: Path) -> None:
    """Also to whoever has a file from the days in which it was there."""
    kept = tmp_path / "old.key"
    kept.write_text('{"passphrase": "pass", "repositories": ["sftp"], "sftp": {"host": "h"}}')
    for key_file in (None, str(kept)):
        with pytest.raises(UserError) as caught:
            source.find(session, "prod", "sftp", key_file)
        assert caught.value.text() == (
            'error: stack "prod" keeps no backups in sftp: its repositories are s3, volume\n'
            "HINT: REPOSITORY= takes one of them; what a place still holds that has left the list is old."
        )


@pytest.mark.parametrize(
    ("text", "repository", "found"),
    [
        ("pass\n", None, Source("gone", "volume", "pass")),
        (
            '{"passphrase": "pass", "repositories": ["volume", "s3"], "s3": {}}',
            None,
            Source("gone", "volume", "pass", listed=("volume", "s3")),
        ),
        (
            f'{{"passphrase": "pass", "repositories": ["s3"], "s3": {json.dumps(S3)}}}',
            "s3",
            Source("gone", "s3", "pass", S3, ("s3",)),
        ),
    ],
)
def test_what_was_kept_elsewhere_stands_for_a_state_that_is_gone(
    session: Session, tmp_path: Path, text: str, repository: str | None, found: Source
) -> None:
    kept = tmp_path / "kept.key"
    kept.write_text(text)
    assert source.find(session, "gone", repository, str(kept)) == found
    with pytest.raises(UserError) as caught:
        source.find(session, "gone", repository)
    assert caught.value.text().endswith("give what was printed and kept elsewhere: KEY_FILE=file.")


@pytest.mark.parametrize(
    ("content", "fact"), [(None, "cannot be read: No such file or directory"), (b"\xff\xfe", "is no text")]
)
def test_what_was_kept_elsewhere_and_cannot_be_read(
    session: Session, tmp_path: Path, content: bytes | None, fact: str
) -> None:
    kept = tmp_path / "kept.key"
    if content is not None:
        kept.write_bytes(content)
    with pytest.raises(UserError) as caught:
        source.find(session, "gone", None, str(kept))
    assert caught.value.text() == (
        f'error: KEY_FILE "{kept}" {fact}\n'
        "HINT: it is what `bin/pulumi stack output backup_access --show-secrets` prints."
    )


def test_what_is_read_becomes_configuration_and_its_secrets_are_apart() -> None:
    plain, secret, stale = restore.settings(Source("prod", "s3", "pass", S3), {"from": "prod", "sftp": {"host": "h"}})
    assert plain == {
        "repository": "s3",
        "s3.endpoint": "s3.example.com",
        "s3.port": "7070",
        "s3.bucket": "b",
        "s3.access_key": "A",
    }
    # With the passphrase all is known, and an interrupted run must not leave it alone: it goes first and comes last.
    assert list(secret.items()) == [("s3.secret_key", "hidden"), ("passphrase", "pass")]
    assert stale == ["sftp"]
    assert restore.settings(Source("prod", "volume", "pass"), {"passphrase": {}, "s3": {}})[2] == ["passphrase", "s3"]


def test_a_stack_puts_out_how_its_repositories_are_read() -> None:
    """What it puts out is what a restore is told: the identity that can change no backup."""
    own = {"archive_access_key": "B", "archive_secret_key": "only-reads"}
    raw = {
        "environment": "dev",
        "network": {"port_base": 15400},
        "backup": {"repositories": ["s3"]},
        "s3": {**S3, **own},
    }
    access = repositories.access(load("mine", raw, secret_keys={"s3"}), "pass")
    assert access == {
        "passphrase": "pass",
        "repositories": ["s3"],
        "s3": {**S3, "access_key": "B", "secret_key": "only-reads"},
    }
    options, files = repositories.to_read(Source("mine", "s3", "pass", access["s3"]).settings)
    assert (options["repo1-type"], options["repo1-s3-key-secret"], options["repo1-storage-port"]) == (
        "s3",
        "only-reads",
        "7070",
    )
    assert files == {}
    assert not any("retention" in name for name in options)
