"""The header of a migration: why it is there, and how it wants to run."""

from __future__ import annotations

import pytest

from provider.sql.header import Header, faults, header

WHY = "-- Why.\n"


def test_without_directives_the_defaults_hold() -> None:
    assert header(WHY + "SELECT 1") == Header(True, 5_000, 15 * 60_000, 5, True)


def test_directives() -> None:
    text = (
        "\n-- Why.\n-- pipe: no-transaction\n--pipe:lock_timeout=250ms\n--\n--  pipe: statement_timeout = 2 h\n"
        "-- pipe: retries = 0\nSELECT 1;\n"
    )
    assert list(faults(text)) == []
    assert header(text) == Header(False, 250, 7_200_000, 0, patient=False)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("SELECT 1", "line 1: has no header; begin the file with a comment that says why this change is made"),
        (WHY + "--   * <what else?>\nSELECT 1", "line 2: still asks what to write there; write it, or delete the line"),
        ("-- ----\nSELECT 1", "line 1: has no header; begin the file with a comment that says why this change is made"),
        (
            "-- pipe: retries = 1\nSELECT 1 -- later\n",
            "line 1: has no header; begin the file with a comment that says why this change is made",
        ),
        (
            WHY + "-- pipe: quickly",
            'line 2: "quickly" is no directive; there are: no-transaction, lock_timeout = 3s, statement_timeout ='
            " 30min, retries = 5",
        ),
        (WHY + "-- pipe: no-transaction = yes", 'line 2: directive "no-transaction" takes no value, not "yes"'),
        (WHY + "-- pipe: retries = -1", 'line 2: directive "retries" is a whole number from 0 to 50, not "-1"'),
        (WHY + "-- pipe: retries = 51", 'line 2: directive "retries" is a whole number from 0 to 50, not "51"'),
        (
            WHY + "-- pipe: lock_timeout = 0s",
            'line 2: directive "lock_timeout" is a time from 10ms to 1min such as 500ms, 3s or 30min, not "0s"',
        ),
        (
            WHY + "-- pipe: lock_timeout = 2min",
            'line 2: directive "lock_timeout" is a time from 10ms to 1min such as 500ms, 3s or 30min, not "2min"',
        ),
        (
            WHY + "-- pipe: statement_timeout = 90",
            'line 2: directive "statement_timeout" is a time from 1s to 24h such as 500ms, 3s or 30min, not "90"',
        ),
        (
            WHY + "-- pipe: retries = 1\n-- pipe: retries = 2",
            'line 3: directive "retries" is on line 2 already',
        ),
        (
            WHY + "SELECT 1;\n-- pipe: retries = 1\nSELECT 2",
            'line 3: "pipe: retries = 1" stands below the header; move it into the first comment',
        ),
    ],
)
def test_refused(text: str, reason: str) -> None:
    assert list(faults(text)) == [reason]
