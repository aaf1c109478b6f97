"""A member that an interrupted run started is let finish its bootstrap before it is removed.

Its container runs on although nobody wrote it down. Killed between `initdb` and the first roles, it would leave a data
directory that is no database, and that nothing but its removal mends.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterable

from cli.engine import Thing
from infra.paths import CA_FILE, REST_PORT

# A slow machine's bootstrap; one that takes longer is stuck, and is removed as it is.
WAIT_SECONDS = 180
POLL_SECONDS = 0.5
ASK_SECONDS = 10


def let_finish(things: Iterable[Thing], is_done: Callable[[str], bool], wait: float = WAIT_SECONDS) -> None:
    """Wait until each member among the things leads, follows, or has stopped; at most `wait` seconds in all."""
    deadline = time.monotonic() + wait
    for thing in things:
        if thing.kind != "container" or not re.search(r"-member-\d+$", thing.name) or is_done(thing.name):
            continue
        print(f"recovering: {thing.name} is making its database; waiting for it to end", flush=True)
        while not is_done(thing.name) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)


def is_done(container: str) -> bool:
    """Whether Patroni says that the member leads or follows, or does not run. It leads only once it has its roles."""
    ask = f"curl -sfo /dev/null --cacert {CA_FILE} https://localhost:{REST_PORT}"
    script = f"{ask}/leader || {ask}/replica || exit 3"
    try:
        done = subprocess.run(
            ["docker", "exec", container, "sh", "-c", script], capture_output=True, timeout=ASK_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    # The script's own status says "not yet"; any other is the engine's: the container does not run.
    return done.returncode != 3
