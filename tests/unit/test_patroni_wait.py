"""How long a member is waited for: a copy has as long as it grows, anything else has its limit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from provider import engine
from provider.engine import Done
from provider.errors import PipeError
from provider.patroni import member
from provider.patroni.plan import Readiness
from provider.patroni.rest import Rest

LIMIT = 300.0
COPIED, READY = Readiness(False, "is creating replica"), Readiness(True, "streams")


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Callable[..., float]:
    """Wait for a member that is ready after so many seconds; return how long that took."""

    def waited(ready_after: float, before: Readiness, size: Callable[[float], int]) -> float:
        now = 0.0

        def pause(*_: object) -> None:
            nonlocal now
            now += 10

        @contextmanager
        def api(_: object) -> Iterator[None]:
            yield None

        monkeypatch.setattr("time.monotonic", lambda: now)
        monkeypatch.setattr(member, "look", lambda *_: READY if now >= ready_after else before)
        monkeypatch.setattr(engine, "look", lambda *_: None)
        monkeypatch.setattr(engine, "api", api)
        monkeypatch.setattr(engine, "execute", lambda *_: Done(1, f"{size(now)}\t/var/lib/postgresql\n", "du: gone"))
        said = SimpleNamespace(pause=pause)
        context: Any = SimpleNamespace(config=None, cancellation=said, progress=lambda _: None)
        member.wait(context, cast("Rest", None), "member-1", "https://b", LIMIT, "c1")
        return now

    return waited


def test_a_copy_has_as_long_as_it_grows(wait: Callable[..., float]) -> None:
    assert wait(5000, COPIED, lambda now: int(now)) >= 5000


def test_a_copy_that_stands_still_is_given_up(wait: Callable[..., float]) -> None:
    with pytest.raises(PipeError, match=r"neither leads nor streams after 9\d\d s: it is creating replica"):
        wait(5000, COPIED, lambda now: min(int(now), 400))


def test_anything_else_has_its_limit(wait: Callable[..., float]) -> None:
    with pytest.raises(PipeError, match="neither leads nor streams after 310 s: it is starting"):
        wait(5000, Readiness(False, "is starting"), lambda now: int(now))
