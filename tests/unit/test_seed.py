"""Invented data: how much, the same every time, skewed, and never among real data."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime

import bcrypt
import pytest

from cli.errors import UserError
from cli.seed import tenants
from cli.seed.load import TABLES
from cli.seed.run import parse, refuse_shared
from cli.seed.shape import Shape

UNTIL = datetime(2026, 3, 15, tzinfo=UTC)
SHAPE = Shape(runs=5000, number=1, until=UNTIL)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_same_shape_gives_the_same_rows_and_another_number_others(table: object) -> None:
    lines = table.lines  # type: ignore[attr-defined]
    assert list(lines(SHAPE)) == list(lines(SHAPE))
    assert list(lines(SHAPE)) != list(lines(Shape(5000, 2, UNTIL)))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_line_has_a_value_for_each_column(table: object) -> None:
    columns = len(table.columns.split())  # type: ignore[attr-defined]
    assert {line.count("\t") + 1 for line in table.lines(SHAPE)} == {columns}  # type: ignore[attr-defined]


def test_the_history_is_twelve_whole_months_and_what_there_is_of_the_present_one() -> None:
    assert SHAPE.since == datetime(2025, 3, 1, tzinfo=UTC)
    assert [f"{month:%Y-%m}" for month in SHAPE.months][0::12] == ["2025-03", "2026-03"]
    first_of_month = Shape(5000, 1, datetime(2026, 3, 1, tzinfo=UTC))
    assert f"{first_of_month.months[-1]:%Y-%m}" == "2026-02"


def test_tenants_differ_in_size() -> None:
    big = Shape(runs=200_000, number=1, until=UNTIL)
    counts = Counter(line.split("\t")[1] for line in tenants.pipelines(big)).most_common()
    assert counts[0][1] > 10 * counts[len(counts) // 2][1]


def test_every_organization_has_one_owner() -> None:
    owners = Counter(
        line.split("\t")[0] for line in tenants.organization_members(SHAPE) if line.split("\t")[2] == "owner"
    )
    assert set(owners.values()) == {1}
    assert len(owners) == SHAPE.organizations


def test_the_hashes_are_those_of_passwords() -> None:
    stored = {line.split("\t")[3] for line in tenants.users(SHAPE)}
    assert all(any(bcrypt.checkpw(f"seed-password-{n}".encode(), text.encode()) for n in range(16)) for text in stored)
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", line.split("\t")[3]) for line in tenants.api_keys(SHAPE))


@pytest.mark.parametrize("kind", ["staging", "prod"])
def test_shared_stacks_get_none(kind: str) -> None:
    with pytest.raises(UserError, match=f'stack "s" is {kind}: it gets no invented data'):
        refuse_shared("s", kind, anyway=False)
    refuse_shared("s", kind, anyway=True)
    refuse_shared("s", "test", anyway=False)


def test_a_day_reproduces_a_history() -> None:
    assert parse(["--size", "medium", "--until", "2026-03-15"]).until == UNTIL
