"""Whether something outside can be reached, answered within five seconds whatever the network does."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request

# Seconds after which a silent server counts as unreachable; name resolution included.
TIMEOUT = 5.0


def failure(url: str) -> str | None:
    """Why `url` cannot be reached, in a few words; None when its server answers at all. Honours proxy variables."""
    result: list[str | None] = []
    # A resolver knows no time-out of ours, so the question is put in a thread that may be left alone.
    thread = threading.Thread(target=lambda: result.append(_ask(url)), daemon=True)
    thread.start()
    thread.join(TIMEOUT)
    return result[0] if result else f"no answer within {TIMEOUT:.0f} s"


def _ask(url: str) -> str | None:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=TIMEOUT):
            return None
    except urllib.error.HTTPError as error:
        # A registry that asks for a login is there; a server that has not got the file is no source for it.
        return None if error.code in (401, 405) else f"HTTP status {error.code}"
    except urllib.error.URLError as error:
        return getattr(error.reason, "strerror", None) or str(error.reason)
    except OSError as error:
        return error.strerror or str(error)
