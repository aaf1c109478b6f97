"""The section `restore`: one target, in a form that means the same everywhere, and never shown with its passphrase."""

from __future__ import annotations

from typing import Any

import pytest

from infra.settings import load
from tests.unit.settings_lines import lines

PLAIN: dict[str, Any] = {"environment": "dev", "network": {"port_base": 15400}}
EXAMPLE = 'for example at: "2026-05-01 12:00:00+09", or remove it for none'
WRONG = {
    "a time without an offset": (
        {"from": "prod", "at": "2026-05-01 12:00:00"},
        "pipe:restore.at = 2026-05-01 12:00:00: must be a time with its offset from UTC, such as "
        f"2026-05-01 12:00:00+09; {EXAMPLE}",
    ),
    "no time": (
        {"from": "prod", "at": "noon"},
        "pipe:restore.at = noon: must be a time with its offset from UTC, such as 2026-05-01 12:00:00+09; " + EXAMPLE,
    ),
    "no position": (
        {"from": "prod", "lsn": "5000028"},
        "pipe:restore.lsn = 5000028: must be a position in the WAL, such as 0/5000028; "
        'for example lsn: "0/5000028", or remove it for none',
    ),
    "two targets": (
        {"from": "prod", "name": "here", "lsn": "0/5000028"},
        "pipe:restore.lsn = 0/5000028: must be the only target, beside name; leave one of them",
    ),
    "no source": (
        {"name": "here"},
        "pipe:restore.from = null: must name the stack to restore from, as restore.name is set; for example from: prod",
    ),
    "itself": (
        {"from": "mine"},
        "pipe:restore.from = mine: must be another stack: a restore of this one is in place; "
        "docs/backup-and-restore.md says how to do that",
    ),
    "a bucket without a key": (
        {"from": "prod", "repository": "s3", "s3": {"endpoint": "s3.example.com", "bucket": "b", "access_key": "A"}},
        "pipe:restore.s3.secret_key = (not set): must be set while restore.repository names s3; "
        "set it, or take s3 out of restore.repository",
    ),
    "a bucket of no use": (
        {"from": "prod", "s3": {"bucket": "b"}},
        "pipe:restore.s3.bucket = b: is of no use while restore.repository does not name s3; "
        "add s3 there, or remove it here",
    ),
    "no such key of a bucket": (
        {"from": "prod", "s3": {"buckets": "b"}},
        "pipe:restore.s3.buckets = b: no such setting; did you mean pipe:restore.s3.bucket?",
    ),
    "no bucket": (
        {"from": "prod", "s3": "b"},
        "pipe:restore.s3 = b: must be a map of endpoint, port, region, bucket, path, uri_style, ca_certificate, "
        "access_key, secret_key; write one key a line under it",
    ),
    "a key in plain text": (
        {"from": "prod", "s3": {"secret_key": "hunter2"}},
        "pipe:restore.s3.secret_key = [secret]: must be encrypted in the stack file; run "
        "`bin/pulumi config set --secret --path 'pipe:restore.s3.secret_key'`, which asks for it",
    ),
    "a pause nowhere": (
        {"from": "prod", "pause": True},
        "pipe:restore.pause = true: needs restore.at, name or lsn to pause at; set one of them, or no pause",
    ),
}


@pytest.mark.parametrize(("section", "line"), WRONG.values(), ids=list(WRONG))
def test_what_cannot_be_meant_is_one_line(section: dict[str, Any], line: str) -> None:
    assert lines({**PLAIN, "restore": section}) == [line]


def test_the_key_from_is_written_as_it_is_said() -> None:
    restore = load("dev", {**PLAIN, "restore": {"from": "prod", "at": "2026-05-01 12:00:00+09"}}).restore
    assert (restore.from_, restore.at) == ("prod", "2026-05-01 12:00:00+09")


def test_neither_passphrase_nor_key_is_shown() -> None:
    bucket = {"endpoint": "s3.example.com", "bucket": "b", "access_key": "A", "secret_key": "hunter3"}
    section = {"from": "prod", "passphrase": "hunter2", "repository": "s3", "s3": bucket}
    found = load("dev", {**PLAIN, "restore": section}, secret_keys={"restore"})
    assert found.restore.s3.secret_key == "hunter3"
    assert "hunter" not in repr(found)
