"""A stack that ledgers wrote to, the second one while the repository was away: the source of every restore.

In between it was given room for more sessions, so that a restore passes a moment from which its standby's are too few.
And the moments to restore to.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import datetime

import pytest

from tests import timeouts
from tests.fixtures.stacks import half_a_day_away, throw_away_stack
from tests.recovery.restore.instances import archive, repository_away, source_of
from tests.recovery.restore.written import SECONDS, Written, commit_times

POINT = "between the ledgers"
ROWS_OF_A_CLIENT = 40
# More than the pattern of throw-away stacks has.
SESSIONS = 70
PAUSE_SECONDS = 0.1


@pytest.fixture(scope="session")
def written() -> Iterator[Written]:
    with throw_away_stack("written") as stack:
        stack.prepare()
        stack.configure("backup", **half_a_day_away())
        stack.configure("database", replicas=0, parameters={"track_commit_timestamp": "on"})
        stack.up()
        ids: list[frozenset[str]] = []
        for place in (nullcontext(), repository_away(stack)):
            ledger = stack.ledger()
            ledger.pause = PAUSE_SECONDS
            with place, ledger:
                ledger.wait_for_rows(ROWS_OF_A_CLIENT)
                # No session is lost here: every row is told of, however slow the disk is.
                ledger.stop(within=timeouts.COMMAND)
            assert not ledger.refusals()
            ids.append(frozenset(str(entry.id) for entry in ledger.entries))
            if len(ids) == 1:
                stack.sql(f"SELECT pg_create_restore_point('{POINT}')")
                stack.configure("database", max_connections=SESSIONS, restart="rolling")
                stack.up()
                assert stack.sql("SHOW max_connections") == [str(SESSIONS)]
        archive(stack)
        commits = commit_times(stack)
        assert ids[0] | ids[1] == commits.keys()
        yield Written(stack, source_of(stack), commits, POINT, ids[0])


@pytest.fixture(scope="session")
def moments(written: Written) -> list[datetime]:
    """Random seconds; the first lies behind the named point."""
    seed = random.randrange(1 << 32)
    print(f"seed of the seconds: {seed}")
    chance = random.Random(seed)
    whole = chance.choice(written.seconds(since=max(written.commits[id_] for id_ in written.before_the_point)))
    return [whole, *chance.sample(written.seconds(since=min(written.commits.values())), SECONDS - 1)]
