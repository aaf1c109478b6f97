"""Which line of a container's log tells why its program ended."""

from __future__ import annotations

import pytest

from provider.engine import Sight, telling
from provider.patroni.member import evidence


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ([], ""),
        (["", "starting", "  "], "starting"),
        (["FATAL:  could not map memory", "HINT:  less", "LOG:  shut down"], "FATAL:  could not map memory"),
        (["ERROR: first", "FATAL:  last", "end"], "FATAL:  last"),
        (["FATAL:  no memory", "FATAL:  the database system is starting up"], "FATAL:  no memory"),
    ],
)
def test_the_last_line_that_names_an_error_tells(lines: list[str], line: str) -> None:
    assert telling(lines) == line


def test_what_the_log_says_is_shown_and_where_the_rest_is() -> None:
    assert evidence(Sight(0, 1, "FATAL:  no"), "member-1") == [
        "its log says: FATAL:  no",
        "all of it: docker logs member-1",
    ]
    assert evidence(Sight(0, 1, ""), "member-1") == ["its log says why: docker logs member-1"]
    assert evidence(None, "member-1") == ["its log says why: docker logs member-1"]
