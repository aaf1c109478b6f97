"""Who logs in, and with which generation of a password: rotation as a pure function of the settings.

Every role has one login, except the application, whose two take turns: while one is in use the other can be given a new
password, and both work until the settings say that the old one shall not. A login that is closed may not log in, and
its password is replaced by one that nobody is told, so that opening it again never revives an old one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from infra.settings import CredentialSettings

# The application's logins by turn: even rotations, odd ones.
APPLICATION = ("app", "app_b")
SINGLE = ("readonly", "auditor", "monitor", "migrator", "drill")


@dataclass(frozen=True)
class Login:
    """A role that logs in by password; its password is made anew whenever `keepers` change."""

    name: str
    """The role's name without ``pipe_``."""
    is_open: bool
    keepers: Mapping[str, str] | None


def logins(settings: CredentialSettings) -> dict[str, Login]:
    """Return the logins whose passwords rotate, by name."""
    single = (Login(name, True, _generation(getattr(settings, name))) for name in SINGLE)
    return {login.name: login for login in (*_application(settings), *single)}


def application(settings: CredentialSettings) -> str:
    """Return the name of the login that the application is to use."""
    return APPLICATION[settings.app % 2]


def _application(settings: CredentialSettings) -> list[Login]:
    found = []
    for turn, name in enumerate(APPLICATION):
        age = (settings.app - turn) % 2
        generation = settings.app - age
        is_open = age == 0 or (settings.app_overlap and generation >= 0)
        closed = {"closed_at_rotation": str(settings.app)}
        found.append(Login(name, is_open, _generation(generation) if is_open else closed))
    return found


def _generation(rotation: int) -> dict[str, str] | None:
    """The first password has no keepers: a stack from before there was rotation keeps it."""
    return {"rotation": str(rotation)} if rotation else None
