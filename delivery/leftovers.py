"""Which stacks on a Docker engine are left over. Pure: what is known goes in, the decision for each stack comes out.

A stack is swept only if all of this holds: everything of it carries the label pipe.stack with its name, the name is one
that throw-away stacks bear, its state protects nothing, its youngest object is older than the limit, and where it is a
pull request's, that is closed. Whatever is not understood is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cli.engine import LABEL, Kind

STACK_LABEL = LABEL
# pr-12 (a pull request's), and what tests and the benchmark make: a word of theirs, a dash, a random or running part.
THROW_AWAY_NAME = re.compile(r"(pr|t|test|bench|sweep)-[a-z0-9][a-z0-9-]*")
PULL_REQUEST_NAME = re.compile(r"pr-([0-9]+)")
# Where nobody can tell whether a pull request is open: one that nothing was pushed to for so long is taken for closed.
PULL_REQUEST_FLOOR = timedelta(days=14)
LASTING_STACKS = frozenset({"dev", "staging", "prod"})


@dataclass(frozen=True)
class Thing:
    """A container, volume or network of a stack. `created` is None where the engine doesn't tell."""

    kind: Kind
    id: str
    name: str
    stack: str
    created: datetime | None


@dataclass(frozen=True)
class Verdict:
    """What is to be done with one stack, and why."""

    stack: str
    sweep: bool
    why: str
    things: tuple[Thing, ...]


@dataclass(frozen=True)
class Facts:
    """What is known beside the engine's list.

    `kept` says why the state of a stack forbids to touch it. `open_pulls` tells of each pull request whether it is
    open, None where GitHub gave no answer; it is None as a whole where there is no GitHub to ask.
    """

    kept: Mapping[str, str] = field(default_factory=dict)
    open_pulls: Mapping[int, bool | None] | None = None


def judge(
    things: Iterable[Thing], now: datetime, older_than: timedelta, only: str | None = None, facts: Facts | None = None
) -> list[Verdict]:
    """Decides for each stack, in the order of their names.

    `only` names one throw-away stack that goes whatever its age, its pull request open or not: its owner asked for it.
    The others are then kept.
    """
    known, stacks = facts or Facts(), by_stack(things)
    return [_verdict(stack, of_one, now, older_than, only, known) for stack, of_one in sorted(stacks.items())]


def by_stack(things: Iterable[Thing]) -> dict[str, tuple[Thing, ...]]:
    """The things of each stack."""
    stacks: dict[str, tuple[Thing, ...]] = {}
    for thing in things:
        stacks[thing.stack] = (*stacks.get(thing.stack, ()), thing)
    return stacks


def pull_request(stack: str) -> int | None:
    """The number of the pull request that a stack is named after."""
    match = PULL_REQUEST_NAME.fullmatch(stack)
    return int(match[1]) if match else None


def refusal(stack: str) -> str | None:
    """Why a stack of this name is never swept, or None."""
    if stack in LASTING_STACKS:
        return "a lasting stack"
    if not THROW_AWAY_NAME.fullmatch(stack):
        return "not a throw-away stack's name"
    return None


def _verdict(
    stack: str, things: tuple[Thing, ...], now: datetime, older_than: timedelta, only: str | None, facts: Facts
) -> Verdict:
    refused = refusal(stack)
    if refused is None and only is not None and stack != only:
        refused = "not asked for"
    refused = refused or facts.kept.get(stack)
    if refused is not None:
        return Verdict(stack, False, refused, things)
    if only is not None:
        return Verdict(stack, True, "asked for", things)
    number = pull_request(stack)
    if number is not None and facts.open_pulls is None:
        older_than = max(older_than, PULL_REQUEST_FLOOR)
    elif number is not None and facts.open_pulls is not None:
        is_open = facts.open_pulls.get(number)
        if is_open is not False:
            why = "its pull request is open" if is_open else "whether its pull request is open is not known"
            return Verdict(stack, False, why, things)
    ages = [None if thing.created is None else now - thing.created for thing in things]
    known = [age for age in ages if age is not None]
    if len(known) < len(ages) or not known:
        return Verdict(stack, False, "its age is not known", things)
    # The youngest counts: a stack whose containers were replaced an hour ago is in use, however old its volumes are.
    age = min(known)
    if age <= older_than:
        return Verdict(stack, False, f"{hours(age)} old, in use up to {hours(older_than)}", things)
    return Verdict(stack, True, f"{hours(age)} old", things)


def hours(span: timedelta) -> str:
    """A time span such as "12.5 h"."""
    return f"{span / timedelta(hours=1):.1f} h"


def parse_time(text: str | None) -> datetime | None:
    """A time as Docker prints it: RFC 3339 with up to nine decimals, UTC or with an offset; None for anything else."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)", text or "")
    if not match:
        return None
    seconds, fraction, zone = match.groups()
    try:
        micro = (fraction or ".0")[:7].ljust(7, "0")
        parsed = datetime.fromisoformat(f"{seconds}{micro}{'+00:00' if zone == 'Z' else zone}")
    except ValueError:
        return None
    # Docker's zero time stands for "not recorded".
    return parsed.astimezone(UTC) if parsed.year > 1 else None
