"""What is said of a setting beside its name, type and default: the metadata of a field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def about(
    description: str,
    *,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    form: str = "",
    example: Any = None,
    by_environment: Mapping[str, Any] | None = None,
    secret: bool = False,
) -> dict[str, Any]:
    """Metadata of a field.

    `form` names a check of `forms.py`; `example` is shown where there is no default; `by_environment` holds the
    defaults of environments that differ from the others; a `secret` stands encrypted in the stack file or not at all.
    """
    return {
        "description": description,
        "unit": unit,
        "minimum": minimum,
        "maximum": maximum,
        "form": form,
        "example": example,
        "by_environment": dict(by_environment or {}),
        "secret": secret,
    }
