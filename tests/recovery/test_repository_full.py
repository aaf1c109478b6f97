"""A repository that is full of old backups: a shorter window makes room, and what waited arrives.

The step is that of docs/disaster-runbook.md.
"""

from __future__ import annotations

import re

import pytest

from tests import timeouts
from tests.asserts.eventually import eventually
from tests.asserts.replication import leader
from tests.fixtures import runbook
from tests.fixtures.repositories import SFTP, Repositories
from tests.recovery.test_archiving_fails import (
    archived,
    back_up,
    full,
    fulls,
    switch,
    told_why,
    wait_for_the_alert,
    writes_go_on,
)

# Whoever comes first waits for the stack, and for the S3 server to be built.
pytestmark = [
    pytest.mark.integration,
    pytest.mark.long,
    pytest.mark.xdist_group("repositories"),
    pytest.mark.timeout(timeouts.BUILD + 3 * timeouts.UP),
]

# The SFTP server has room for two of these, which nobody can compress, not for a third.
ROOM_MB = 40
NOISE = """
SELECT pg_logical_emit_message(false, 'test', string_agg(sha512(random()::text::bytea), ''::bytea))
FROM generate_series(1, 240000)
"""
# Sets the dates of a repository's backups so many days back, and the checksum that the list of backups ends with.
AGE = """
import hashlib, re, subprocess, sys

stanza, number, days = sys.argv[1:]
command = ["pgbackrest", f"--stanza={stanza}", f"--repo={number}", "--log-level-console=off"]
file = f"backup/{stanza}/backup.info"
text = subprocess.run([*command, "repo-get", file], check=True, capture_output=True, text=True).stdout
date = re.compile(r'("backup-timestamp-(?:start|stop)":)([0-9]+)')
text = date.sub(lambda found: found[1] + str(int(found[2]) - int(days) * 86400), text)
sections, checksum = [], ""
for line in filter(None, text.splitlines()):
    key, _, value = line.partition("=")
    if line.startswith("["):
        sections.append((line[1:-1], []))
    elif key == "backrest-checksum":
        checksum = value
    else:
        sections[-1][1].append(f'"{key}":{value}')
whole = ",".join(f'"{name}":{{{",".join(pairs)}}}' for name, pairs in sections if pairs)
text = text.replace(checksum, f'"{hashlib.sha1(f"{{{whole}}}".encode()).hexdigest()}"')
for name in (file, f"{file}.copy"):
    subprocess.run([*command, "repo-put", name], input=text, check=True, text=True)
"""


def noise(repositories: Repositories) -> None:
    """Write WAL of two segments."""
    for _ in range(2):
        repositories.stack.sql(NOISE, leader(repositories.stack))


def test_a_repository_that_is_full_of_old_backups_has_room_with_a_shorter_window(repositories: Repositories) -> None:
    stack = repositories.stack
    with full(repositories, ROOM_MB):
        old = back_up(repositories, SFTP)
        noise(repositories)
        filled = switch(repositories)
        eventually(
            lambda: archived(repositories, SFTP), lambda names: filled in names, timeouts.ARCHIVED, f"{filled} in sftp"
        )
        newer = back_up(repositories, SFTP)
        status, text = stack.execute("scheduler", "python3", "-c", AGE, stack.name, str(SFTP), "9")
        assert status == 0, text
        assert fulls(repositories, SFTP)[-2:] == [old, newer]
        with writes_go_on(repositories, SFTP):
            noise(repositories)
            wait_for_the_alert(repositories)
            assert re.search(r"sftp error \[4\] failure", told_why(repositories))
            # It stays: no other test needs a longer one.
            stack.configure("backup", retention_days=7)
            stack.up()
            assert old in fulls(repositories, SFTP), "by itself it goes with the next backup"
            runbook.run("expire", stack, repository=f"--repo={SFTP}")
        assert fulls(repositories, SFTP) == [newer]
        assert filled not in archived(repositories, SFTP)
    back_up(repositories, SFTP)
