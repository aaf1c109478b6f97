"""Rows of everything but runs and files, as lines of COPY's text format. Pure."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from cli.seed import hashes
from cli.seed.shape import Shape, skewed

NULL = "\\N"
FIRST = ("Ada", "Ken", "Yuki", "Lena", "Omar", "Rosa", "Ivan", "Mei", "Noah", "Asha", "Hugo", "Sara")
LAST = ("Sato", "Meyer", "Okafor", "Silva", "Novak", "Kim", "Haddad", "Olsen", "Rossi", "Tanaka", "Dubois", "Khan")
TRADES = ("Logistics", "Foods", "Energy", "Media", "Health", "Robotics", "Travel", "Bank", "Games", "Textiles")
JOBS = ("nightly import", "hourly sync", "report", "clean-up", "image resize", "billing export", "index build")
STATUSES, STATUS_WEIGHTS = ("active", "inactive", "suspended", "deleted"), (90, 5, 2, 3)


def users(shape: Shape) -> Iterator[str]:
    source = shape.random("users")
    pool = hashes.passwords(source)
    for n, key in enumerate(shape.ids("users", shape.users)):
        first, last = source.choice(FIRST), source.choice(LAST)
        made, changed = _times(shape, source)
        email = f"{first}.{last}.{n}@example.com".lower()
        yield _line(key, email, f"{first} {last}", source.choice(pool), _status(source), made, changed)


def organizations(shape: Shape) -> Iterator[str]:
    source = shape.random("organizations")
    for n, key in enumerate(shape.ids("organizations", shape.organizations)):
        plan = source.choices(("free", "team", "business"), (70, 25, 5))[0]
        made, changed = _times(shape, source)
        yield _line(key, f"{source.choice(LAST)} {source.choice(TRADES)} {n}", plan, _status(source), made, changed)


def organization_members(shape: Shape) -> Iterator[str]:
    """Every person is in one organization, one in five in a second; the first to come owns it."""
    source = shape.random("organization_members")
    tenants, people = shape.ids("organizations", shape.organizations), shape.ids("users", shape.users)
    drawn = skewed(source, range(shape.organizations))
    owned: set[int] = set()
    for n, person in enumerate(people):
        # Everyone of the first lot founds an organization, so that none is without an owner.
        homes = {n if n < shape.organizations else next(drawn)}
        if source.random() < 0.2:
            homes.add(next(drawn))
        for home in sorted(homes):
            role = source.choices(("admin", "member", "readonly"), (10, 70, 20))[0] if home in owned else "owner"
            owned.add(home)
            yield _line(tenants[home], person, role, _times(shape, source)[0])


def pipelines(shape: Shape) -> Iterator[str]:
    source = shape.random("pipelines")
    tenants, people = shape.ids("organizations", shape.organizations), shape.ids("users", shape.users)
    drawn = skewed(source, range(shape.organizations))
    for n, key in enumerate(shape.ids("pipelines", shape.pipelines)):
        home = n if n < shape.organizations else next(drawn)
        config = json.dumps({"schedule": f"{source.randrange(60)} * * * *", "steps": source.randrange(1, 9)})
        made, changed = _times(shape, source)
        job = source.choice(JOBS)
        author = source.choice(people) if source.random() < 0.9 else NULL
        yield _line(
            key, tenants[home], f"{job} {n}", f"Runs the {job}.", config, _status(source), author, made, changed
        )


def api_keys(shape: Shape) -> Iterator[str]:
    source = shape.random("api_keys")
    tenants, people = shape.ids("organizations", shape.organizations), shape.ids("users", shape.users)
    homes = islice(skewed(source, range(shape.organizations)), shape.keys)
    for n, (key, home) in enumerate(zip(shape.ids("api_keys", shape.keys), homes, strict=True)):
        made, used = _times(shape, source)
        expires = (shape.until + timedelta(days=source.randrange(1, 365))).isoformat() if n % 2 else NULL
        yield _line(key, tenants[home], f"key {n}", hashes.key(source), used, source.choice(people), made, expires)


def _line(*values: str) -> str:
    # None of the words and documents above holds a tab, a newline or a backslash.
    return "\t".join(values) + "\n"


def _status(source: random.Random) -> str:
    return source.choices(STATUSES, STATUS_WEIGHTS)[0]


def _times(shape: Shape, source: random.Random) -> tuple[str, str]:
    """When a row was made (before the history begins) and last changed (within it)."""
    made = shape.since - timedelta(seconds=source.randrange(86_400 * 365))
    changed: datetime = shape.since + (shape.until - shape.since) * source.random()
    return made.isoformat(), changed.isoformat()
