"""Where backups may be kept: what has to be given, what stays secret, and what pgBackRest is told."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import Any

import pytest

from infra import repositories
from infra.archive import member_conf, repository_conf
from infra.settings import Settings, load
from tests.unit.settings_lines import GOOD, lines
from tests.unit.test_native_config import ini

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nscheduler\n-----END OPENSSH PRIVATE KEY-----\n"
DIGEST = hashlib.sha256(b"a host key").digest()
S3 = {"endpoint": "s3.example.com", "bucket": "b", "access_key": "A", "secret_key": "scheduler-secret"}
SFTP = {
    "host": "backup.example.com",
    "host_fingerprint": "SHA256:" + b64encode(DIGEST).decode().rstrip("="),
    "user": "pipe",
    "private_key": KEY,
}
SECRET = {"s3", "sftp"}


def settings(*kinds: str, s3: dict[str, Any] | None = None, sftp: dict[str, Any] | None = None) -> Settings:
    sections = {"s3": S3 | (s3 or {}), "sftp": SFTP | (sftp or {})}
    given = {kind: sections[kind] for kind in kinds if kind in sections}
    return load("mine", GOOD | {"backup": {"repositories": list(kinds)}, **given}, secret_keys=SECRET)


@pytest.mark.parametrize("kinds", [[], ["s3", "s3"]])
def test_at_least_one_each_once(kinds: list[str]) -> None:
    (line,) = lines({"backup.repositories": kinds, **({"s3": S3} if kinds else {})}, secret_keys=SECRET)
    assert "must name at least one, each once; for example [volume]" in line


def test_a_kind_that_does_not_exist() -> None:
    assert lines({"backup.repositories": ["tape"]}) == [
        'pipe:backup.repositories = ["tape"]: must be made of volume, s3 and sftp; for example volume, s3'
    ]


@pytest.mark.parametrize(("kind", "given"), [("s3", S3), ("sftp", SFTP)])
def test_what_is_missing_is_listed_at_once(kind: str, given: dict[str, Any]) -> None:
    assert lines({"backup.repositories": [kind]}) == [
        f"pipe:{kind}.{name} = (not set): must be set while backup.repositories names {kind}; "
        f"set it, or take {kind} out of backup.repositories"
        for name in given
    ]


def test_what_is_not_used_is_told() -> None:
    """Whoever wrote it believes that backups go there."""
    assert lines({"s3.bucket": "b"}) == [
        "pipe:s3.bucket = b: is of no use while backup.repositories does not name s3; add s3 there, or remove it here"
    ]


@pytest.mark.parametrize(
    ("kinds", "section", "name"),
    [
        (["s3"], {"s3": S3 | {"archive_access_key": "B"}}, "s3.archive_secret_key"),
        (["sftp"], {"sftp": SFTP | {"archive_user": "b"}}, "sftp.archive_private_key"),
    ],
)
def test_half_an_identity_of_what_serves_members(kinds: list[str], section: dict[str, Any], name: str) -> None:
    (line,) = lines({"backup.repositories": kinds, **section}, secret_keys=SECRET)
    assert line.startswith(f"pipe:{name} = (not set): must be set with archive_")


def test_real_data_needs_an_identity_that_cannot_change_backups() -> None:
    found = lines({"environment": "prod", "protect": True, "backup.repositories": ["s3"], "s3": S3}, secret_keys=SECRET)
    assert found == [
        "pipe:s3.archive_access_key = (not set): must be set in prod; set both: whoever takes over a member must not "
        "be able to change backups"
    ]


@pytest.mark.parametrize(("kind", "section"), [("s3", S3), ("sftp", SFTP)])
def test_a_secret_in_plain_text_is_refused_and_not_shown(kind: str, section: dict[str, Any]) -> None:
    (line,) = lines({"backup.repositories": [kind], kind: section})
    name = {"s3": "s3.secret_key", "sftp": "sftp.private_key"}[kind]
    assert line == (
        f"pipe:{name} = [secret]: must be encrypted in the stack file; run "
        f"`bin/pulumi config set --secret --path 'pipe:{name}'`, which asks for it"
    )


def test_members_know_the_repository_host_and_nothing_behind_it() -> None:
    member = ini(member_conf(settings("volume", "s3", "sftp")))["global"]
    assert [member[f"repo{number}-host"] for number in (1, 2, 3)] == [["repository"]] * 3
    assert not any(word in key for key in member for word in ("s3", "sftp", "cipher", "path") if key != "spool-path")


def test_every_repository_is_encrypted_and_keeps_the_same_window() -> None:
    found = ini(repository_conf(settings("volume", "s3", "sftp"), "the-passphrase", "scheduler"))["global"]
    for number in (1, 2, 3):
        assert found[f"repo{number}-cipher-type"] == ["aes-256-cbc"]
        assert found[f"repo{number}-cipher-pass"] == ["the-passphrase"]
        assert found[f"repo{number}-retention-full"] == ["30"]
        assert found[f"repo{number}-bundle"] == found[f"repo{number}-block"] == ["y"]
    assert (found["repo2-type"], found["repo3-type"]) == (["s3"], ["sftp"])
    assert found["repo3-sftp-host-fingerprint"] == [DIGEST.hex()]


def test_what_serves_members_has_its_own_identity() -> None:
    own_key = KEY.replace("scheduler", "server")
    both = settings(
        "s3",
        "sftp",
        s3={"archive_access_key": "B", "archive_secret_key": "server-secret"},
        sftp={"archive_user": "archive", "archive_private_key": own_key},
    )
    server = ini(repository_conf(both, "p", "server"))["global"]
    assert (server["repo1-s3-key"], server["repo1-s3-key-secret"]) == (["B"], ["server-secret"])
    assert server["repo2-sftp-host-user"] == ["archive"]
    assert repositories.files(both, "server") == {"sftp-key.pem": own_key}
    scheduler = ini(repository_conf(both, "p", "scheduler"))["global"]
    assert (scheduler["repo1-s3-key"], scheduler["repo1-s3-key-secret"]) == (["A"], ["scheduler-secret"])
    assert repositories.files(both, "scheduler") == {"sftp-key.pem": KEY}


def test_an_authority_of_ones_own_is_named_and_carried() -> None:
    pem = "-----BEGIN CERTIFICATE-----\nx\n"
    own = settings("s3", s3={"ca_certificate": pem})
    assert ini(repository_conf(own, "p", "server"))["global"]["repo1-storage-ca-file"] == ["/etc/pipe/s3-ca.pem"]
    assert repositories.files(own, "server") == {"s3-ca.pem": pem}
