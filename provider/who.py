"""Who runs the provider: the person and machine behind the one database role that everybody uses."""

from __future__ import annotations

import getpass
import socket


def who() -> str:
    """Return the operating-system user and host in brackets, to stand behind a name."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number without a name
        user = "?"
    return f" ({user}@{socket.gethostname()})"
