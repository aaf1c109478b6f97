"""Which backup a restore begins with, and what is refused: decided by what the repository keeps."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from provider.errors import PipeError
from provider.restore import kept
from provider.restore.kept import Backup, Kept
from provider.restore.look import Source
from provider.restore.moments import Target, lsn_text, parse_lsn, parse_time, shown
from provider.restore.replay import settings, sizes


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-05-{text}+00:00")


FIRST = Backup("20260501-000000F", 1, at("01 00:00:10"), 0x500, 30)
SECOND = Backup("20260502-000000F", 1, at("02 00:00:10"), 0x900, 30)
KEPT = Kept("prod", (FIRST, SECOND), at("02 12:30:00"), 0xC00)
HINT = "HINT: choose a moment of that range; what was written just now is kept once its WAL segment is archived"


@pytest.mark.parametrize(
    ("target", "backup"),
    [
        (Target(at=at("01 00:00:10")), FIRST),
        (Target(at=at("02 00:00:09")), FIRST),
        (Target(at=at("02 00:00:10")), SECOND),
        (Target(at=at("02 12:29:59")), SECOND),
        (Target(lsn=0x8FF), FIRST),
        (Target(lsn=0xC00), SECOND),
        (Target(), SECOND),
    ],
)
def test_the_newest_backup_before_the_target_is_taken(target: Target, backup: Backup) -> None:
    assert kept.choose((KEPT,), "prod", target) == backup


@pytest.mark.parametrize("moment", [at("01 00:00:09"), at("02 12:30:00"), at("03 00:00:00")])
def test_a_moment_outside_is_refused_with_the_range(moment: datetime) -> None:
    with pytest.raises(PipeError) as caught:
        kept.choose((KEPT,), "prod", Target(at=moment))
    assert str(caught.value) == (
        f'the repository of stack "prod" cannot restore {shown(moment)}: it keeps 2026-05-01 00:00:10+00 to '
        f"2026-05-02 12:30:00+00\n{HINT}"
    )


@pytest.mark.parametrize("commit", [None, at("01 00:00:10")])
def test_a_backup_without_a_commit_after_it_is_named(commit: datetime | None) -> None:
    with pytest.raises(PipeError, match=r"it keeps a backup of 2026-05-01 00:00:10\+00 and no commit after it"):
        kept.choose((Kept("prod", (FIRST,), commit, 0x500),), "prod", Target(at=at("01 00:00:10")))


@pytest.mark.parametrize("lsn", [0x4FF, 0xC01])
def test_a_position_outside_is_refused_with_the_range(lsn: int) -> None:
    with pytest.raises(PipeError) as caught:
        kept.choose((KEPT,), "prod", Target(lsn=lsn))
    assert str(caught.value) == (
        f'the repository of stack "prod" cannot restore LSN {lsn_text(lsn)}: it keeps LSN 0/500 to 0/C00\n{HINT}'
    )


def test_without_a_backup_everything_is_refused() -> None:
    with pytest.raises(PipeError, match="keeps no backup from which the end of the archive is reached"):
        kept.choose((), "prod", Target())


def test_a_backup_of_a_way_that_was_left_is_not_begun_with() -> None:
    line = kept.lineage(2, "1\t0/700\tno recovery target specified\n")
    on_two = Backup("20260503-000000F", 2, at("03 00:00:10"), 0x750, 30)
    assert kept.reachable((FIRST, SECOND, on_two), line) == (FIRST, on_two)
    assert kept.reachable((FIRST, SECOND, on_two), kept.lineage(1, "")) == (FIRST, SECOND)


def test_a_timeline_that_was_left_twice_ends_where_the_second_way_begins() -> None:
    """As after going back to 0/700, and then to 0/400 without saying a timeline: PostgreSQL keeps both positions."""
    twice = "1\t0/700\tno recovery target specified\n\n2\t0/400\tafter LSN 0/400\n"
    line = kept.lineage(3, twice)
    assert (line[1], line[2]) == (0x400, 0x400)
    assert kept.reachable((FIRST, SECOND), line) == ()
    assert kept.beginning(twice) == 0x400
    assert kept.beginning("1\t0/700\tx\n2\t0/900\tx\n") == 0x900
    assert kept.beginning("") == 0


def test_info_is_read_without_backups_that_failed() -> None:
    one = {
        "label": "20261126-063038F",
        "error": False,
        "archive": {"start": "000000010000000000000005", "stop": "000000010000000000000005"},
        "lsn": {"start": "0/5000028", "stop": "0/5000120"},
        "timestamp": {"start": 1795674638, "stop": 1795674641},
        "info": {"size": 30 * MIB + 1},
    }
    document = [{"name": "dev", "archive": [{"id": "17-1"}], "backup": [one, {**one, "error": True}]}]
    found = kept.stanza(json.dumps(document), "dev")
    assert found is not None
    moment = datetime(2026, 11, 26, 6, 30, 42, tzinfo=UTC)
    assert (found.archive_id, found.backups) == ("17-1", (Backup("20261126-063038F", 1, moment, 0x5000120, 30),))
    assert kept.stanza(json.dumps(document), "prod") is None


def test_segments_are_told_from_what_lies_beside_them() -> None:
    home, digest = "archive/dev/17-1/0000000200000000", "8d16a867ecf6578f468194ad9075d6c21b499a44"
    newer, older = f"{home}/0000000200000000000000A1-{digest}.zst", f"{home}/00000001000000000000000B-{digest}"
    others = [f"{home}/0000000100000000000000A0.00000028.backup", "archive/dev/17-1/00000002.history"]
    partial = f"{home}/0000000100000000000000A0.partial-{digest}.zst"
    assert kept.segments([newer, *others, partial, older]) == [older, newer]
    assert kept.timeline_of(newer) == 2


MIB = 1024 * 1024


def segment(timeline: int, number: int) -> str:
    return f"archive/dev/17-1/{timeline:08X}00000000/{timeline:08X}00000000{number:08X}-{'8d16a867ec' * 4}.zst"


def test_of_a_timeline_that_was_left_only_what_lies_before_that_is_followed() -> None:
    files = [segment(1, 5), segment(1, 6), segment(1, 7), segment(2, 6), segment(2, 7), segment(3, 7)]
    inside, at_the_end = kept.lineage(2, "1\t0/6500000\tx\n"), kept.lineage(2, "1\t0/7000000\tx\n")
    assert kept.followed(files, inside) == [segment(1, 5), segment(2, 6), segment(2, 7)]
    assert kept.followed(files, at_the_end) == [segment(1, 5), segment(1, 6), segment(2, 6), segment(2, 7)]


def test_a_gap_in_the_wal_ends_what_the_backups_before_it_reach() -> None:
    before, later, after, lost = (
        Backup(f"2026050{day}-000000F", 1, at(f"0{day} 00:00:10"), number * 16 * MIB + 0x100, 30)
        for day, number in enumerate((4, 5, 8, 7), start=1)
    )
    files = [segment(1, 4), segment(1, 5), segment(2, 6), segment(2, 8), segment(2, 9)]
    runs = kept.runs((before, later, lost, after), files)
    assert [(run.backups, run.files[-1]) for run in runs] == [
        ((before, later), segment(2, 6)),
        ((after,), segment(2, 9)),
    ]
    # One that ended with its segment does not need the next.
    at_the_end = Backup("20260501-000000F", 1, at("01 00:00:10"), 7 * 16 * MIB, 30)
    assert kept.runs((at_the_end,), files) == [
        kept.Run((at_the_end,), (segment(1, 4), segment(1, 5), segment(2, 6))),
    ]


def test_a_target_in_a_gap_is_refused_with_what_is_kept_on_both_sides() -> None:
    parts = (Kept("prod", (FIRST,), at("01 12:00:00"), 0x600), Kept("prod", (SECOND,), at("02 12:00:00"), 0xC00))
    assert kept.choose(parts, "prod", Target(at=at("01 11:00:00"))) == FIRST
    assert kept.choose(parts, "prod", Target(at=at("02 11:00:00"))) == SECOND
    assert kept.choose(parts, "prod", Target()) == SECOND
    with pytest.raises(PipeError) as caught:
        kept.choose(parts, "prod", Target(at=at("01 13:00:00")))
    assert str(caught.value) == (
        'the repository of stack "prod" cannot restore 2026-05-01 13:00:00+00: it keeps 2026-05-01 00:00:10+00 to '
        f"2026-05-01 12:00:00+00, then after a gap 2026-05-02 00:00:10+00 to 2026-05-02 12:00:00+00\n{HINT}"
    )


def test_a_point_or_a_moment_of_a_timeline_that_was_left_says_how_to_reach_it() -> None:
    assert "restore.timeline (TIMELINE=) is one of 1, 2" in str(kept.unknown_point((KEPT,), "prod", "here", (1, 2)))
    assert "TIMELINE" not in str(kept.unknown_point((KEPT,), "prod", "here", ()))
    refusal = kept.left("prod", Target(at=at("01 11:00:00")), 1, at("01 10:00:01"), at("01 11:59:00"))
    assert str(refusal).startswith('at 2026-05-01 11:00:00+00 stack "prod" was on timeline 1, which it left later: ')
    assert "(TIMELINE=1)" in str(refusal)


def test_sizes_only_grow() -> None:
    """Else a replay that is begun anew behind a smaller size would ask for the larger one again and again."""
    assert sizes(CONTROL, {}) == {"max_connections": 200, "max_prepared_transactions": 0}
    assert sizes(CONTROL, {"max_connections": 300})["max_connections"] == 300


DUMP = """\
rmgr: Transaction len (rec/tot):  34/  34, tx: 7, lsn: 0/0153F0A8, prev 0/0153F080, desc: COMMIT 2026-05-01 06:30:00.123456 UTC
rmgr: XLOG        len (rec/tot):  98/  98, tx: 0, lsn: 0/01600028, prev 0/0153F0A8, desc: RESTORE_POINT here
rmgr: XLOG        len (rec/tot):  98/  98, tx: 0, lsn: 0/01700028, prev 0/0153F0A8, desc: RESTORE_POINT here
rmgr: XLOG        len (rec/tot):  98/  98, tx: 0, lsn: 0/01800028, prev 0/0153F0A8, desc: RESTORE_POINT here too
rmgr: Transaction len (rec/tot):  34/  34, tx: 8, lsn: 0/01900028, prev 0/01800028, desc: COMMIT 2026-05-01 06:31:00.5 UTC; inval
"""  # noqa: E501


def test_what_pg_waldump_shows_is_read() -> None:
    assert kept.last_commit(DUMP) == datetime(2026, 5, 1, 6, 31, 0, 500000, tzinfo=UTC)
    assert kept.last_lsn(DUMP) == 0x1900028
    assert kept.first_commit(DUMP, 0) == datetime(2026, 5, 1, 6, 30, 0, 123456, tzinfo=UTC)
    assert kept.first_commit(DUMP, 0x153F0A9) == datetime(2026, 5, 1, 6, 31, 0, 500000, tzinfo=UTC)
    assert kept.first_commit(DUMP, 0x1900029) is None
    # Of points of the same name the newest.
    assert kept.restore_point(DUMP, "here") == 0x1700028
    assert kept.restore_point(DUMP, "there") is None
    assert (kept.last_commit(""), kept.last_lsn("")) == (None, None)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-01 12:00:00+09", datetime(2026, 5, 1, 3, tzinfo=UTC)),
        ("2026-05-01T03:00:00Z", datetime(2026, 5, 1, 3, tzinfo=UTC)),
        ("2026-05-01 12:00:00", None),
        ("yesterday", None),
    ],
)
def test_a_moment_needs_its_offset(text: str, moment: datetime | None) -> None:
    assert parse_time(text) == moment


def test_positions_are_read_and_written_as_postgresql_does() -> None:
    assert parse_lsn("1/5000028") == 0x1_05000028
    assert lsn_text(0x1_05000028) == "1/5000028"
    assert parse_lsn("5000028") is None


CONTROL = (
    "max_connections setting:              200\nmax_prepared_xacts setting:           0\nDatabase state: shut down\n"
)


@pytest.mark.parametrize(
    ("target", "pause", "lines"),
    [
        (Target(at=at("01 12:00:00")), False, {"recovery_target_time = '2026-05-01 12:00:00+00'"}),
        (Target(lsn=0x5000028), True, {"recovery_target_lsn = '0/5000028'", "recovery_target_action = 'pause'"}),
        (Target(timeline=3), False, {"recovery_target_timeline = '3'", "recovery_target_action = 'promote'"}),
    ],
)
def test_wal_is_replayed_where_nobody_comes_and_nothing_leaves(target: Target, pause: bool, lines: set[str]) -> None:
    text = settings(sizes(CONTROL, {}), Source("prod", "secret", 2), target, pause=pause).splitlines()
    always = {"listen_addresses = ''", "archive_command = ''", "max_connections = '200'"}
    assert lines | always <= set(text)
    assert not any("preload" in line or "secret" in line for line in text)
