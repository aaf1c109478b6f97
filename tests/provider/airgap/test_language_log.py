"""Debug lines of a program go to the engine together, and nothing overtakes them."""

from __future__ import annotations

import time
from typing import Any

from pulumi.runtime.proto.engine_pb2 import DEBUG, INFO, LogRequest

from airgap.language.gathered_log import GatheredLog
from tests.timeouts import CONNECT


class Engine:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, str]] = []

    def Log(self, request: Any) -> None:
        self.said.append((request.severity, request.message))


def test_debug_lines_are_sent_together_before_what_follows_them() -> None:
    engine = Engine()
    log = GatheredLog(engine)
    for text in ("one", "two", "three"):
        log.Log(LogRequest(severity=DEBUG, message=text))
    log.Log(LogRequest(severity=INFO, message="four"))
    assert engine.said == [(DEBUG, "one\ntwo\nthree"), (INFO, "four")]


def test_a_debug_line_on_a_resource_stays_alone() -> None:
    engine = Engine()
    log = GatheredLog(engine)
    log.Log(LogRequest(severity=DEBUG, message="one"))
    log.Log(LogRequest(severity=DEBUG, message="two", urn="urn:pulumi:s::p::t::n"))
    assert engine.said == [(DEBUG, "one"), (DEBUG, "two")]


def test_a_debug_line_arrives_although_nothing_follows() -> None:
    engine = Engine()
    GatheredLog(engine).Log(LogRequest(severity=DEBUG, message="one"))
    deadline = time.monotonic() + CONNECT
    while not engine.said and time.monotonic() < deadline:
        time.sleep(0.01)
    assert engine.said == [(DEBUG, "one")]
