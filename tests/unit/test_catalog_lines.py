"""Pictures of a catalog: what drift says, what an `up` moves on, and what months leave out."""

from __future__ import annotations

import pytest

from provider.catalog.acl import describe
from provider.catalog.facts import Fact
from provider.catalog.lines import Picture, draw, drift, merge

OWNER = ["pipe_owner=arwdDxtm/pipe_owner"]


@pytest.mark.parametrize(
    ("granted", "initial", "words"),
    [
        (OWNER, OWNER, "nobody but the owner"),
        ([*OWNER, "pipe_app=ar*/pipe_owner"], OWNER, "pipe_app INSERT, SELECT with grant option"),
        (["=X/o", "o=X/o"], ["=X/o", "o=X/o"], "PUBLIC EXECUTE"),
        (["b=r/o", "a=r/o", "o=r/o"], ["o=r/o"], "a SELECT; b SELECT"),
        (["o=r/o"], ["o=rw/o"], "o SELECT"),
        ([], ["o=X/o"], "o itself nothing"),
        (['"odd = name"=U/"an/other"'], [], '"odd = name" USAGE'),
    ],
)
def test_grants_in_words(granted: list[str], initial: list[str], words: str) -> None:
    assert describe(granted, initial) == words


def test_drift_says_what_became_of_an_object() -> None:
    expected = {"table t": "table", "table t column a": "integer", "table t column b": "text"}
    live = Picture({"table t": "table", "table t column a": "bigint", "table t column c": "uuid"})
    assert drift(expected, live) == {
        "table t column a": "changed: integer -> bigint",
        "table t column b": "removed: text",
        "table t column c": "added: uuid",
    }


def test_what_an_up_changes_is_expected_and_the_rest_stays() -> None:
    expected = {"kept": "1", "drifted": "1", "gone by hand": "1", "altered": "1", "dropped": "1"}
    before = {"kept": "1", "drifted": "2", "altered": "1", "dropped": "1", "by hand": "1", "both": "1"}
    after = {"kept": "1", "drifted": "2", "altered": "2", "made": "1", "by hand": "1", "both": "2"}
    moved = merge(expected, before, Picture(after))
    assert moved == {"kept": "1", "drifted": "1", "gone by hand": "1", "altered": "2", "made": "1", "both": "2"}
    assert drift(moved, Picture(after)).keys() == {"drifted", "gone by hand", "by hand"}


def test_merging_without_changes_changes_nothing() -> None:
    expected, live = {"a": "1", "b": "2"}, {"a": "1", "b": "3"}
    assert merge(expected, live, Picture(live)) == expected


def test_a_long_definition_is_cut_and_its_end_still_counts() -> None:
    one, other = (draw([Fact("table", "s.t", None, "constraint c", "x" * 300 + end)], {}).lines for end in "ab")
    assert one != other
    assert all(len(text) < 250 for text in one.values())


def month(name: str, *, parent: str | None = "s.t", **facets: str) -> list[Fact]:
    given = {"": "table", "owner": "o", "grants": "nobody but the owner"} | facets
    return [Fact("table", name, parent, facet, definition) for facet, definition in given.items()]


TABLE = [
    Fact("table", "s.t", None, "", "table, partitioned by RANGE (at)"),
    Fact("table", "s.t", None, "owner", "o"),
    Fact("table", "s.t", None, "index i", "USING btree (a)"),
]
INDEX = {"index s_a_idx": "USING btree (a)"}


def test_months_are_told_once_whatever_their_number_and_names() -> None:
    one = draw(TABLE + month("s.t_y2026m01", **INDEX), {}).lines
    three = [
        *TABLE,
        *(fact for n in (1, 2, 3) for fact in month(f"s.t_y2026m0{n}", **{f"index i{n}": "USING btree (a)"})),
    ]
    assert draw(three, {}).lines == one
    assert [line for line in one if "_y20" in line] == []


def test_a_month_unlike_its_siblings_is_told_by_itself() -> None:
    facts = TABLE + month("s.t_y2026m01", **INDEX) + month("s.t_y2026m02", **INDEX) + month("s.t_y2026m03")
    assert draw(facts, {}).lines["table s.t_y2026m03 index USING btree (a)"] == "unlike its siblings: missing"


def test_a_month_on_its_way_to_the_archive_only_has_to_be_closed() -> None:
    closed = draw(TABLE + month("s.t_y2026m01", parent=None), {})
    assert closed.lines == draw(TABLE, {}).lines
    granted = draw(TABLE + month("s.t_y2026m01", parent=None, grants="pipe_app SELECT"), {})
    assert granted.lines["table s.t_y2026m01 grants"] == "pipe_app SELECT"


def test_the_first_month_of_a_table_and_the_end_of_the_last_are_no_drift() -> None:
    none, some = draw(TABLE, {}), draw(TABLE + month("s.t_y2026m01", **INDEX), {})
    assert drift(none.lines, some) == {}
    assert drift(some.lines, none) == {}
    assert merge(none.lines, some.lines, some) == dict(some.lines)


def test_an_accepted_month_that_left_is_no_drift() -> None:
    first, second = month("s.t_y2026m01", **INDEX), month("s.t_y2026m02", **INDEX)
    accepted = draw(TABLE + first + second + month("s.t_y2026m03"), {})
    assert any("s.t_y2026m03" in line for line in accepted.lines)
    assert drift(accepted.lines, draw(TABLE + first + second, {})) == {}


def test_a_table_that_is_only_named_like_a_month_is_a_table() -> None:
    lines = draw(month("s.other_y2026m01", parent=None), {}).lines
    assert lines == {"table s.other_y2026m01": "table", "table s.other_y2026m01 owner": "o"}


def test_an_archived_month_that_was_exported_and_came_back_has_no_foreign_keys() -> None:
    table = [Fact("table", "archive.t", None, "", "table, partitioned by RANGE (at)")]
    keys = {"constraint t_fkey": "FOREIGN KEY (a) REFERENCES s.o(id)"}
    stayed = month("archive.t_y2026m01", parent="archive.t", **keys)
    back = month("archive.t_y2026m02", parent="archive.t")
    assert draw(table + stayed + back, {}).lines == draw(table + stayed, {}).lines
