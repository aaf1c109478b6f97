"""Which line of a container's log tells why its program ended."""

from __future__ import annotations

import pytest

from provider import engine
from provider.engine import Sight, ended, telling
from provider.errors import PipeError
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


class Engine:
    """Knows how a command ended when it is asked for the last of these times."""

    def __init__(self, *codes: int | None) -> None:
        self.codes = list(codes)

    def exec_inspect(self, command: str) -> dict[str, int | None]:
        assert command == "id"
        return {"ExitCode": self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]}


def test_a_command_whose_end_is_not_known_yet_has_not_succeeded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ended(Engine(None, None, 3), "id") == 3
    assert ended(Engine(0), "id") == 0
    monkeypatch.setattr(engine, "_ENDED_SECONDS", 0)
    with pytest.raises(PipeError, match="does not know how a command in a container ended"):
        ended(Engine(None), "id")
