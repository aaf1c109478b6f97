"""Restores hold exactly the rows committed by then; what is not kept is refused; a paused restore is looked at."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli import state
from cli.session import Session
from provider.errors import PipeError
from provider.restore import kept
from provider.restore.look import Source
from provider.restore.moments import Target, parse_lsn, shown
from tests import timeouts
from tests.asserts.traces import traces
from tests.fixtures.repositories import set_secret
from tests.fixtures.stacks import Stack, succeeded, throw_away_stack
from tests.recovery.expired import swap
from tests.recovery.restore import page
from tests.recovery.restore.instances import find, ledger_rows, passphrase, restored
from tests.recovery.restore.written import SECONDS, Written, rows

# Whoever comes first waits for the stack that is restored from.
pytestmark = [
    pytest.mark.integration,
    pytest.mark.xdist_group("restore"),
    pytest.mark.timeout(3 * timeouts.UP + timeouts.RESTORE),
]


@pytest.mark.long
@pytest.mark.parametrize("number", range(1, SECONDS))
def test_a_second_has_exactly_the_rows_committed_by_then(
    written: Written, moments: list[datetime], number: int
) -> None:
    moment = moments[number]
    with restored(written.stack, written.source, Target(at=moment)) as there:
        assert ledger_rows(there) == written.by(moment), shown(moment)


def test_a_second_in_which_nothing_could_be_archived_is_kept_like_any_other(written: Written) -> None:
    outage = written.seconds(since=max(written.commits[id_] for id_ in written.before_the_point))
    moment = outage[len(outage) // 2]
    with restored(written.stack, written.source, Target(at=moment)) as there:
        assert ledger_rows(there) == written.by(moment), shown(moment)


REFUSED = {
    "before the first backup": Target(at=datetime(2020, 1, 1, tzinfo=UTC)),
    "the future": Target(at=datetime(2100, 1, 1, tzinfo=UTC)),
    "an LSN beyond the archive": Target(lsn=0xFF << 32),
    "an LSN before the first backup": Target(lsn=1),
}


@pytest.mark.parametrize("target", REFUSED.values(), ids=list(REFUSED))
def test_what_is_not_kept_is_refused_with_the_range_that_is(written: Written, target: Target) -> None:
    with pytest.raises(PipeError) as caught:
        find(written.stack, target, source=written.source)
    text = str(caught.value)
    assert text.startswith(f'the repository of stack "{written.stack.name}" cannot restore {target.words}: it keeps ')
    span = re.search(r"it keeps (?:LSN )?(\S+.*) to (.*)\n", text)
    assert span, text
    if target.at:
        first, last = datetime.fromisoformat(span[1]), datetime.fromisoformat(span[2])
        assert first <= min(written.commits.values()) < max(written.commits.values()) < last + timedelta(seconds=1)
    else:
        assert 0 < (parse_lsn(span[1]) or 0) < (parse_lsn(span[2]) or 0)


def segments(stack: Stack, home: str) -> list[str]:
    """Return the files of archived WAL segments, oldest first."""
    status, listed = stack.execute("repository", "find", home, "-type", "f", "-path", "*/*/*/*")
    assert status == 0, listed
    return kept.segments(listed.split())


def test_wal_that_cannot_be_read_fails_a_restore_and_does_not_shorten_it(written: Written) -> None:
    """PostgreSQL takes what cannot be fetched for the end of the archive, unless it is told that it is not."""
    stack = written.stack
    home = f"/var/lib/pgbackrest/archive/{stack.name}"
    backup = json.loads(stack.pgbackrest("info", "--output=json"))[0]["backup"][0]
    needed = [file for file in segments(stack, home) if Path(file).name[:24] > backup["archive"]["stop"]]
    damaged = needed[0]
    damage = f"cp -p {damaged} {home}/whole && head -c 1000 {home}/whole > {damaged}"
    assert stack.execute("repository", "sh", "-c", damage) == (0, "")
    try:
        with (
            pytest.raises(PipeError, match="replaying WAL up to the end of timeline 1 failed: ") as caught,
            restored(stack, written.source, Target()),
        ):
            pytest.fail("it was taken for complete")
    finally:
        assert stack.execute("repository", "mv", f"{home}/whole", damaged) == (0, "")
    assert "could not restore file" in str(caught.value)


def test_what_lies_behind_a_gap_in_the_archive_is_refused(written: Written) -> None:
    """There is no backup behind it to begin with."""
    stack = written.stack
    home = f"/var/lib/pgbackrest/archive/{stack.name}"
    *_, before, lost, last = segments(stack, home)
    assert stack.execute("repository", "mv", lost, f"{home}/lost") == (0, "")
    try:
        with pytest.raises(PipeError) as caught:
            find(stack, Target(lsn=kept.position_of(last)), source=written.source)
        reached = find(stack, Target(lsn=kept.position_of(before)), source=written.source)
    finally:
        assert stack.execute("repository", "mv", f"{home}/lost", lost) == (0, "")
    span = re.search(r" cannot restore LSN \S+: it keeps LSN \S+ to (\S+)\n", str(caught.value))
    assert span, str(caught.value)
    assert kept.position_of(before) < (parse_lsn(span[1]) or 0) < kept.position_of(lost)
    assert reached.lsn == kept.position_of(before)
    find(stack, Target(lsn=kept.position_of(last)), source=written.source)


@pytest.mark.long
def test_an_unknown_point_timeline_stack_or_passphrase_is_refused(written: Written) -> None:
    name = written.stack.name
    refusals = {
        f'the repository of stack "{name}" has no restore point "nowhere" between LSN ': (
            Target(name="nowhere"),
            written.source,
        ),
        f'the repository of stack "{name}" has no WAL of timeline 7\n': (Target(timeline=7), written.source),
        'there is no volume "pipe-t-nobody-repository-archive" on this Docker engine\n': (
            Target(),
            Source("t-nobody", "x", 1),
        ),
        f'the passphrase does not open the repository of stack "{name}"\n': (Target(), Source(name, "wrong", 1)),
    }
    for text, (target, source) in refusals.items():
        with pytest.raises(PipeError) as caught:
            find(written.stack, target, source=source)
        assert str(caught.value).startswith(text)


def restore(stack: Stack, *words: str) -> subprocess.CompletedProcess[str]:
    return stack.run("make", "restore", f"STACK={stack.name}", *words, timeout=timeouts.RESTORE)


@pytest.mark.long
def test_make_restore_refuses_before_anything_is_made(written: Written, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.key"
    wrong.write_text("not the passphrase\n")
    refusals = {
        "AT=2020-01-01 00:00:00+00": "cannot restore 2020-01-01 00:00:00+00: it keeps ",
        f"KEY_FILE={wrong}": "the passphrase does not open the repository of stack ",
        "AT=2020-01-01 00:00:00": "must be a time with its offset from UTC",
    }
    for word, reason in refusals.items():
        with throw_away_stack("early") as stack:
            done = restore(stack, f"FROM={written.stack.name}", word)
            text = done.stdout + done.stderr
            assert done.returncode != 0
            assert reason in text
            assert "Traceback" not in text
            assert (traces(stack.name), stack.file.exists()) == ([], False)


@pytest.mark.long
def test_a_restore_with_wrong_settings_leaves_no_stack_and_keeps_its_file(written: Written) -> None:
    with throw_away_stack("wrong") as stack:
        stack.prepare()
        stack.configure("database", replicas=99)
        before = stack.file.read_text()
        done = restore(stack, f"FROM={written.stack.name}")
        assert done.returncode != 0
        assert "database.replicas" in done.stdout + done.stderr
        assert state.read(Session.current(stack.name)) is None
        assert (traces(stack.name), stack.file.read_text()) == ([], before)


@pytest.mark.long
@pytest.mark.timeout(2 * timeouts.RESTORE)
def test_the_passphrase_that_was_kept_opens_what_the_one_of_a_new_state_does_not(
    written: Written, tmp_path: Path
) -> None:
    """The runbook's "The passphrase is wrong": the state of the source was lost and made anew."""
    source, right = written.stack, passphrase(written.stack)
    key, file = tmp_path / "prod.key", tmp_path / "state.json"
    key.write_text(f"{right}\n")
    exported = json.loads(source.pulumi("stack", "export", "--show-secrets"))
    file.write_text(json.dumps(swap(exported, {right: "0" * len(right)})))
    elsewhere = {"PULUMI_BACKEND_URL": f"file://{tmp_path}"}
    anew = replace(source, settings=elsewhere)
    anew.pulumi("stack", "init", source.name)
    anew.pulumi("stack", "import", "--file", str(file))
    with throw_away_stack("key-kept") as stack:
        stack.settings = elsewhere
        words = (f"FROM={source.name}", f"NAME={written.point}", "PAUSE=yes")
        refused = restore(stack, *words)
        assert refused.returncode != 0
        assert (
            f'the passphrase does not open the repository of stack "{source.name}"' in refused.stdout + refused.stderr
        )
        succeeded(restore(stack, *words, f"KEY_FILE={key}"))
        assert rows(stack, "restore") == written.before_the_point


@pytest.mark.long
@pytest.mark.timeout(2 * timeouts.RESTORE)
def test_plain_pulumi_restores_by_the_configuration_alone(written: Written, moments: list[datetime]) -> None:
    source, moment = written.stack, moments[1]
    with throw_away_stack("configured") as stack:
        stack.prepare()
        stack.configure("database", replicas=0)
        stack.configure("restore", **{"from": source.name, "at": shown(moment)})
        stack.pulumi("stack", "init", stack.name)
        set_secret(stack, "restore.passphrase", passphrase(source))
        stack.pulumi("up", "--yes", timeout=timeouts.RESTORE)
        assert rows(stack) == written.by(moment), shown(moment)
        stack.pulumi("preview", "--expect-no-changes")


@pytest.mark.timeout(2 * timeouts.RESTORE)
def test_a_restore_pauses_goes_further_and_becomes_a_stack(written: Written, moments: list[datetime]) -> None:
    source, moment = written.stack, moments[0]
    with throw_away_stack("looked-at") as stack:
        words = {"prod": source.name, "new": stack.name}
        text = page.run("pause", stack, **words, name=f"'{written.point}'")
        assert f"look        docker exec -it pipe-{stack.name}-restore psql -d pipe" in text
        assert rows(stack, "restore") == written.before_the_point
        assert "read-only transaction" in stack.execute("restore", "psql", "-d", "pipe", "-c", "CREATE TABLE t ()")[1]

        paused, asked = stack.container("restore").id, stack.file.read_text()
        refused = restore(stack, "AT=2100-01-01 00:00:00+00", "PAUSE=yes")
        assert refused.returncode != 0
        assert "cannot restore 2100-01-01 00:00:00+00: it keeps " in refused.stdout + refused.stderr
        assert (stack.container("restore").id, stack.file.read_text()) == (paused, asked), "it pauses where it did"

        page.run("go further", stack, **words, at=shown(moment))
        assert rows(stack, "restore") == written.by(moment), shown(moment)

        page.run("make it", stack, **words)
        assert rows(stack) == written.by(moment), shown(moment)
        # Nothing was archived into the old repository.
        archive = json.loads(source.pgbackrest("info", "--output=json"))[0]["archive"][-1]
        assert archive["max"].startswith("00000001")
