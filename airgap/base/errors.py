"""Errors that a provider expects: each is one sentence for the user, shown without a traceback."""

from __future__ import annotations

from typing import Any


class ProviderError(Exception):
    """An expected failure: the message is a lower-case fact with its cause, `hint` says what to do next."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nHINT: {self.hint}" if self.hint else self.message


class Cancelled(ProviderError):
    """The user pressed Ctrl-C while the operation was waiting."""

    def __init__(self, doing: str = "the operation") -> None:
        super().__init__(f"{doing} was cancelled")


class InitFailed(ProviderError):
    """The object exists, but did not become usable; its state is kept, and the next update tries again.

    `resource_id` and `state` describe what was made, exactly as a successful create or update would have returned.
    """

    def __init__(self, message: str, resource_id: str, state: dict[str, Any], hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.resource_id = resource_id
        self.state = state
