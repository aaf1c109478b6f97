"""The benchmark's arithmetic: medians, aims, and the timeline of the engine's events."""

from __future__ import annotations

import os
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from bench import measure, migrations, only_migrations, own_engine, report, timeline
from bench.kills import Broken, Life, Moment
from bench.measure import Event
from bench.recovery import throughput
from provider.sql.plan import migration_faults


def event(at: float, key: str, op: str, type_: str, name: str) -> Event:
    urn = f"urn:pulumi:s::pipe::{type_}::{name}"
    metadata: dict[str, Any] = {"op": op, "urn": urn, "type": type_}
    return Event(at, {"sequence": 1, key: {"metadata": metadata}})


EVENTS = [
    Event(0.1, {"preludeEvent": {"config": {}}}),
    event(1.0, "resourcePreEvent", "create", "docker:index/volume:Volume", "v"),
    event(1.0, "resourcePreEvent", "create", "pipe:cluster:Cluster", "cluster"),
    event(1.5, "resOutputsEvent", "create", "docker:index/volume:Volume", "v"),
    event(2.0, "resourcePreEvent", "create", "pipe:patroni:Member", "member-0"),
    event(2.0, "resourcePreEvent", "same", "docker:index/network:Network", "n"),
    event(2.1, "resOutputsEvent", "same", "docker:index/network:Network", "n"),
    event(6.0, "resOutputsEvent", "create", "pipe:patroni:Member", "member-0"),
    event(6.0, "resourcePreEvent", "create", "pipe:patroni:Member", "member-1"),
    event(8.5, "resOutputsEvent", "create", "pipe:patroni:Member", "member-1"),
    event(9.0, "resOutputsEvent", "create", "pipe:cluster:Cluster", "cluster"),
]


def test_spans_pair_beginnings_with_ends_and_leave_out_what_stayed() -> None:
    found = [(span.name, span.seconds) for span in timeline.spans(EVENTS)]
    assert found == [("v", 0.5), ("member-0", 4.0), ("member-1", 2.5), ("cluster", 8.0)]


def test_the_replica_streams_when_the_last_member_is_ready() -> None:
    assert timeline.replica_at(timeline.spans(EVENTS)) == 8.5
    assert timeline.replica_at([]) is None


def test_a_profile_lists_the_slowest_in_the_order_of_their_beginnings() -> None:
    run = measure.Run(10.0, 0, "", 500.0, 7, EVENTS)
    phases, _, *lines = timeline.profile(run, slowest=2, width=17).splitlines()
    assert phases == (
        "    1.00 until the first resource, 8.00 from the first to the last, 1.00 after it; "
        "5 resources, 7 processes at the peak"
    )
    assert [line.split()[-1] for line in lines] == ["member-0", "member-1"], "no component, no volume"
    assert lines[0] == "    4.00   2.00   6.00      ████████       pipe:patroni:Member member-0"


def test_a_table_of_medians_ratios_and_aims() -> None:
    rounds = [
        {"floor": 7.0, "replica": 13.0, "up": 20.0, "preview": 1.5, "memory": 900.0},
        {"floor": 9.0, "replica": 12.0, "up": 17.0, "preview": 1.9, "memory": 800.0},
        {"floor": 7.0, "replica": 15.0, "up": 19.0, "preview": 2.5, "memory": 850.0},
    ]
    assert report.medians(rounds) == {"floor": 7.0, "replica": 13.0, "up": 19.0, "preview": 1.9, "memory": 850.0}
    lines = report.table(rounds).splitlines()[1:]
    assert "1.86  < 14.0 s (2 × floor)  met" in lines[1]
    assert "2.71  < 18.0 s (2.6 × floor)  NOT MET" in lines[2]
    assert "< 2.0 s  met" in lines[3]
    assert "850.0 MiB" in lines[4]


def test_without_a_floor_there_are_no_ratios() -> None:
    (line,) = report.table([{"up": 19.0}]).splitlines()[1:]
    assert "floor" not in line


def test_a_table_of_migrations_has_ratios_time_a_file_and_the_aims_of_200() -> None:
    medians = {
        migrations.key(name, files): seconds
        for files, of_floor in ((50, 0.5), (200, 2.0))
        for name, seconds in {"floor": of_floor, "up": 4 * of_floor, "preview": 3.5, "up_again": 3.0}.items()
    } | {"one_more_50": 2.5, "one_more_200": 2.5}
    lines = migrations.table(medians, [50, 200]).splitlines()
    assert lines[0].split() == ["files", "median", "×", "floor", "ms", "a", "file", "aim"]
    assert lines[2].split() == ["50", "up,", "all", "pending", "2.00", "s", "4.00", "40.0"]
    assert lines[7].endswith(" 8.00 s     4.00       40.0  < 8.0 s  NOT MET")
    assert lines[8].endswith(" 3.50 s     1.75       17.5  < 3.0 s  NOT MET")
    assert len(lines) == 11


def test_generated_migrations_are_ones_that_the_provider_takes() -> None:
    for text in only_migrations.texts(2):
        assert list(migration_faults(text.sql)) == []
    assert [text.file for text in only_migrations.texts(2)] == ["0001_notes.sql", "0002_notes.sql"]


def test_a_run_is_timed_and_its_whole_tree_is_weighed(tmp_path: Path) -> None:
    log = tmp_path / "events"
    child = "import sys, time; data = bytearray(64 << 20); time.sleep(2)"
    parent = (
        "import subprocess, sys\n"
        f"open({str(log)!r}, 'w').write('{{\"sequence\": 0}}\\n{{\"seq')\n"
        f"sys.exit(subprocess.run([sys.executable, '-c', {child!r}]).returncode + 3)\n"
    )
    done = measure.run([sys.executable, "-c", parent], tmp_path, dict(os.environ), log)
    assert done.status == 3
    assert 2 < done.seconds < 60
    assert done.processes == 2
    assert done.peak_mib > 64
    assert [item.body for item in done.events] == [{"sequence": 0}], "half a line is not an event yet"


@pytest.mark.parametrize("pid", [2**22 + 1])
def test_a_process_that_is_gone_weighs_nothing(pid: int) -> None:
    assert measure.tree(pid) == [pid]


@dataclass
class Scripted(Life):
    """Kills that hit or miss as they are told to."""

    hits: list[bool] = field(default_factory=list[bool])
    lines: list[int] = field(default_factory=list[int])

    def update(self, at: Moment) -> bool:
        self.lines.append(at.line)
        return self.hits.pop(0)


def test_a_round_whose_command_ended_before_the_kill_is_played_again_with_an_earlier_one() -> None:
    life = Scripted(cast("Any", None), Path(), random.Random(1), hits=[False, False, True])
    at = life.play("update", "pipe")
    first, second, third = life.lines
    assert second <= first // 2 + 1
    assert third <= second // 2 + 1
    assert at == Moment("update", "pipe", third)


def test_a_round_without_a_kill_is_no_round() -> None:
    life = Scripted(cast("Any", None), Path(), random.Random(1), hits=[False] * 3)
    with pytest.raises(Broken, match="update ended before the kill, 3 times"):
        life.play("update", "pipe")


def test_an_engine_of_its_own_takes_root(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert own_engine.in_own_network("bench.engine_kills", []) == 1
    assert capsys.readouterr().err == "error: an engine of its own takes root, and dockerd on PATH\n"


def test_fewer_rounds_or_sizes_do_not_replace_the_table_of_the_throughput() -> None:
    table = "| 100 MB | 1 |\n| 500 MB | 2 |\n\nMinimum / median / maximum of 10 rounds on 2 processors"
    document = f"{throughput.BEGIN}\n{throughput.HEAD}\n{table}\n{throughput.END}\nof 99 rounds"
    assert not throughput.more_than(document, 10, 2)
    assert throughput.more_than(document, 9, 2)
    assert throughput.more_than(document, 10, 1)
    assert not throughput.more_than(f"{throughput.BEGIN}\n{throughput.END}", 1, 1)
