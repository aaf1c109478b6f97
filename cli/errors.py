"""Expected failures: one fact, and what to do about it."""

from __future__ import annotations


class UserError(Exception):
    """Shown as it is, without a trace: a lower-case fact with the object quoted, and the remedy as a hint."""

    def __init__(self, fact: str, hint: str = "") -> None:
        super().__init__(fact)
        self.fact = fact
        self.hint = hint

    def text(self) -> str:
        return f"error: {self.fact}" + (f"\nHINT: {self.hint}" if self.hint else "")
