"""Rules for Grant and DefaultPrivileges beyond the schema, as the official provider has them. Pure.

They hold before anything runs, and name the property that the user wrote; values that are not known yet pass.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from airgap.base import Failure, Properties, has_unknown
from airgap.postgresql.privileges import ALL, BY_TYPE, DEFAULT_TYPES, GRANT_TYPES, PUBLIC
from airgap.postgresql.values import name_failures

_FOREIGN = ("foreign_data_wrapper", "foreign_server")
_NO_OBJECTS = ("database", "schema")


def grant(inputs: Properties) -> list[Failure]:
    """What is wrong with the inputs of a Grant."""
    object_type = inputs.get("objectType")
    failures = name_failures(inputs, "role", "database", "schema") + _role(inputs)
    if object_type in _FOREIGN:
        return [
            *failures,
            Failure("objectType", f'"{object_type}" is not supported by the air-gapped postgresql provider'),
        ]
    failures += _one_of("objectType", object_type, GRANT_TYPES)
    if failures or has_unknown(object_type):
        return failures
    if object_type != "database" and not has_unknown(inputs.get("schema")) and not inputs.get("schema"):
        failures.append(Failure("schema", f'is required when objectType is "{object_type}"'))
    failures += _objects(str(object_type), inputs)
    return failures + _privileges(str(object_type), inputs)


def default_privileges(inputs: Properties) -> list[Failure]:
    """What is wrong with the inputs of DefaultPrivileges."""
    object_type = inputs.get("objectType")
    failures = name_failures(inputs, "role", "database", "owner", "schema") + _role(inputs)
    failures += _one_of("objectType", object_type, DEFAULT_TYPES)
    if failures or has_unknown(object_type):
        return failures
    if object_type == "schema" and inputs.get("schema"):
        failures.append(Failure("schema", 'must be left out when objectType is "schema"'))
    return failures + _privileges(str(object_type), inputs)


def _role(inputs: Properties) -> list[Failure]:
    role = inputs.get("role")
    if isinstance(role, str) and role.lower() == PUBLIC and role != PUBLIC:
        return [Failure("role", f'must be "{PUBLIC}", in lower case, when everybody is meant')]
    if role == PUBLIC and inputs.get("withGrantOption") is True:
        return [Failure("withGrantOption", f'must be false for role "{PUBLIC}"')]
    return []


def _objects(object_type: str, inputs: Properties) -> list[Failure]:
    objects, columns = inputs.get("objects") or [], inputs.get("columns") or []
    if has_unknown(objects) or has_unknown(columns):
        return []
    if object_type in _NO_OBJECTS and objects:
        return [Failure("objects", f'must be left out when objectType is "{object_type}"')]
    if object_type != "column":
        return [Failure("columns", 'must be left out unless objectType is "column"')] if columns else []
    failures: list[Failure] = []
    if len(objects) != 1:
        failures.append(Failure("objects", 'must name exactly one table when objectType is "column"'))
    if not columns:
        failures.append(Failure("columns", 'is required when objectType is "column"'))
    return failures


def _privileges(object_type: str, inputs: Properties) -> list[Failure]:
    privileges: list[Any] = inputs.get("privileges") or []
    if has_unknown(privileges):
        return []
    allowed = [ALL, *sorted(BY_TYPE[object_type])]
    if object_type == "column":
        # Which columns `ALL` holds could not be compared privilege by privilege.
        allowed.remove(ALL)
    failures = [failure for name in privileges for failure in _one_of("privileges", name, allowed, object_type)]
    if object_type == "column" and len(privileges) != 1:
        failures.append(Failure("privileges", 'must name exactly one privilege when objectType is "column"'))
    return failures


def _one_of(name: str, value: Any, allowed: Sequence[str], object_type: str = "") -> Iterable[Failure]:
    if has_unknown(value) or value in allowed:
        return []
    folded = {choice.lower(): choice for choice in allowed}
    close = difflib.get_close_matches(str(value).lower(), list(folded), n=1)
    guess = f'; did you mean "{folded[close[0]]}"?' if close else ""
    what = f"privilege of a {object_type}" if object_type else f"{name} of this resource"
    return [Failure(name, f'"{value}" is no {what}, which are {", ".join(allowed)}{guess}')]
