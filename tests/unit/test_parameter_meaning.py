"""Two texts of a parameter are one value, however it was written."""

from __future__ import annotations

import pytest

from provider.patroni.meaning import means


@pytest.mark.parametrize(
    ("one", "other", "unit", "kind", "expected"),
    [
        ("5MB", "5120", "kB", "integer", True),
        ("5120kB", "5120", "kB", "integer", True),
        ("5120", "5120", "kB", "integer", True),
        ("5MB", "8192", "kB", "integer", False),
        ("128MB", "16384", "8kB", "integer", True),
        ("1s", "1000", "ms", "integer", True),
        ("1min", "60", "s", "integer", True),
        ("1.5s", "1500", "ms", "integer", True),
        ("1s", "1", "MB", "integer", False),
        ("1 min", "1000", "ms", "integer", False),
        ("-1", "-1", "ms", "integer", True),
        ("5120kB", "5MB", "kB", "integer", True),
        ("1h", "60min", "s", "integer", True),
        ("much", "1", "ms", "integer", False),
        ("0.50", "0.5", "", "real", True),
        ("2ms", "2", "ms", "real", True),
        ("0.5", "0.6", "", "real", False),
        ("true", "on", "", "bool", True),
        ("OFF", "off", "", "bool", True),
        ("off", "on", "", "bool", False),
        ("Replica", "replica", "", "enum", True),
        ("UTC", "utc", "", "string", False),
        ("UTC", "UTC", "", "string", True),
    ],
)
def test_it_is_compared_as_postgresql_reads_it(one: str, other: str, unit: str, kind: str, expected: bool) -> None:
    assert means(one, other, unit, kind) is expected
