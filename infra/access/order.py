"""The order of what changes PostgreSQL's catalog."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pulumi


class CatalogOrder:
    """Declares resources so that no two of them change the same catalog row at the same time.

    PostgreSQL refuses that ("tuple concurrently updated"). What is about the same `subject` therefore waits for the one
    before; what is about different ones runs side by side, until a :meth:`barrier`.
    """

    def __init__(self, opts: pulumi.ResourceOptions) -> None:
        self._opts = opts
        self._before: Sequence[pulumi.Resource] = ()
        self._last: dict[str, pulumi.Resource] = {}

    def add(self, subject: str, kind: Callable[..., pulumi.Resource], logical_name: str, /, **inputs: Any) -> None:
        """Declare ``kind(logical_name, **inputs)``."""
        after = [self._last[subject]] if subject in self._last else list(self._before)
        opts = pulumi.ResourceOptions.merge(self._opts, pulumi.ResourceOptions(depends_on=after))
        self._last[subject] = kind(logical_name, **inputs, opts=opts)

    def barrier(self) -> None:
        """Let everything from here on wait for everything so far."""
        self._before = self.last
        self._last = {}

    @property
    def last(self) -> list[pulumi.Resource]:
        """What the next stage has to wait for."""
        return list(self._last.values()) or list(self._before)
