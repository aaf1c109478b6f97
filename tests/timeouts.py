"""Every wait of the tests, named, in seconds. A test fails at its end; it never sleeps it out."""

from __future__ import annotations

UP = 300
"""A whole stack from nothing, beside another one on two cores."""
RESTORE = 600
"""A stack made from another one's repository, or taken back in place: a restore, a full backup, members made anew."""
DESTROY = 300
COMMAND = 180
"""One command against a running stack, every provider started, beside two other stacks."""
CONNECT = 10
REPLAYED = 60
"""A row of the primary seen on a replica."""
RELOAD = 30
"""A value that PostgreSQL reads at a reload, seen by a new session after Patroni took it over."""
REJOIN = 180
"""A member that comes back with its volume streams again: recovered, rewound."""
FAILOVER = 90
"""A lost primary's lease runs out (ttl), and another member leads."""
OUTAGE = 60
"""Writes, when a node is lost: three times what its lease (ttl, 20), an election, a promotion and proxies take idle."""
HEALTH = 180
"""After a fault every member leads or streams again, rewound or copied anew, and commits wait for a replica."""
FORGOTTEN = 90
"""A member that was removed: its lease runs out (ttl), then the primary looks again (loop_wait)."""
ARCHIVED = 90
"""A WAL segment in the repository."""
DRAINED = 300
"""WAL that piled up, in the repositories that are there: for every two files the one that is away costs three tries."""
SCHEDULED = 420
"""A backup that is due every minute; one that fell into the making of its stack is tried again after five."""
RECORDED = 240
"""A failed login in the audit log: its minute ends, and the job that reads it comes with the next one."""
BUILD = 500
"""A server that only tests run, from its source, with no cache."""
DRILL = 240
"""A restore drill of a small stack: its WAL archived, the repository read, restored, checked."""
POLL = 0.2
"""Between two looks."""
