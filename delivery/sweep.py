"""Removes what throw-away stacks left behind: containers, networks and volumes, and their state.

    python -m delivery.sweep [--dry-run] [--older-than HOURS] [--stack NAME]

Only objects that carry the label pipe.stack of a throw-away stack are touched, see delivery/leftovers.py. GITHUB_TOKEN
and GITHUB_REPOSITORY let it ask whether the pull request of a stack `pr-<number>` is open. Exits 1 when something could
not be removed or GitHub gave no answer; the rest is removed all the same.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cli import engine, state
from cli.errors import UserError
from cli.session import Session
from delivery.github import GitHubError, PullRequest
from delivery.leftovers import STACK_LABEL, Facts, Thing, Verdict, judge, parse_time, pull_request, refusal
from setup.paths import checkout

DEFAULT_HOURS = 12.0


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="sweep", description="Removes what throw-away stacks left behind.")
    parser.add_argument("--dry-run", action="store_true", help="say what would go, remove nothing")
    parser.add_argument("--older-than", type=float, default=DEFAULT_HOURS, metavar="HOURS", help="default: %(default)s")
    parser.add_argument("--stack", help="this throw-away stack only, whatever its age")
    args = parser.parse_args(argv)
    if not args.older_than >= 0:
        parser.error(f"--older-than takes hours, zero or more; it is {args.older_than:g}")
    if args.stack and (why := refusal(args.stack)):
        parser.error(f"stack '{args.stack}' is never swept: {why}; use make destroy STACK={args.stack}")
    try:
        api = engine.client()
        things = list(listed(api))
        facts = learn({args.stack} if args.stack else {thing.stack for thing in things}, ask=not args.stack)
        verdicts = judge(things, datetime.now(UTC), timedelta(hours=args.older_than), args.stack, facts)
        stayed = [verdict.stack for verdict in verdicts if _carry_out(api, verdict, dry=args.dry_run)]
    except UserError as error:
        print(error.text(), file=sys.stderr)
        return 1
    if not any(verdict.sweep for verdict in verdicts):
        print("nothing is left over")
    return 1 if stayed or None in (facts.open_pulls or {}).values() else 0


def learn(stacks: Iterable[str], *, ask: bool) -> Facts:
    """What the states say of the throw-away ones among the stacks and, if wanted, GitHub of their pull requests."""
    throw_away = sorted(stack for stack in stacks if refusal(stack) is None)
    kept = {stack: why for stack in throw_away if (why := _kept(stack))}
    numbers = [number for stack in throw_away if (number := pull_request(stack)) is not None]
    return Facts(kept, _open_pulls(numbers) if ask else None)


def _kept(stack: str) -> str | None:
    """Why the stack's state forbids to touch it; None where there is none, or none that this checkout can reach."""
    session = Session(stack, checkout(), dict(os.environ))
    try:
        _ = session.backend
    except UserError:
        return None
    try:
        known = state.read(session)
    except UserError as error:
        return f"its state is not understood: {error}"
    return f"it is protected: {', '.join(known.protected)}" if known and known.protected else None


def _open_pulls(numbers: Iterable[int]) -> dict[int, bool | None] | None:
    """Which pull requests are open as GitHub says; None without a token, as on a developer's machine."""
    answers: dict[int, bool | None] = {}
    for number in numbers:
        pull = PullRequest.from_environment({**os.environ, "PR_NUMBER": str(number)})
        if pull is None:
            return None
        try:
            answers[number] = pull.is_open()
        except GitHubError as error:
            print(error, file=sys.stderr)
            answers[number] = None
    return answers


def listed(api: Any) -> Iterator[Thing]:
    """Everything on the engine that carries the label of a stack."""
    mine = {"label": STACK_LABEL}
    for container in api.containers(all=True, filters=mine):
        created = datetime.fromtimestamp(container["Created"], UTC)
        yield _thing("container", container["Id"], container["Names"][0].lstrip("/"), container["Labels"], created)
    for network in api.networks(filters=mine):
        yield _thing("network", network["Id"], network["Name"], network["Labels"], parse_time(network["Created"]))
    for volume in api.volumes(filters=mine)["Volumes"] or []:
        name = volume["Name"]
        yield _thing("volume", name, name, volume["Labels"], parse_time(volume.get("CreatedAt")))


def _thing(kind: engine.Kind, id_: str, name: str, labels: dict[str, str], created: datetime | None) -> Thing:
    return Thing(kind, id_, name, labels[STACK_LABEL], created)


def _carry_out(api: Any, verdict: Verdict, *, dry: bool) -> bool:
    """Says what is done with one stack and does it; returns whether something stayed that should have gone."""
    word = ("would remove" if dry else "removing") if verdict.sweep else "keeping"
    print(f"{word} {verdict.stack}: {verdict.why} ({len(verdict.things)} objects)", flush=True)
    if dry or not verdict.sweep:
        return False
    failures = engine.remove(api, [engine.Thing(thing.kind, thing.id, thing.name) for thing in verdict.things])
    # The state goes last: it tells what there was for as long as something of it is there.
    failures = failures or forget(verdict.stack)
    for failure in failures:
        print(f"  {failure}", file=sys.stderr)
    return bool(failures)


def forget(stack: str) -> list[str]:
    """Removes a swept stack's state and files: a later `up` would believe the state and make nothing."""
    session = Session(stack, checkout(), dict(os.environ))
    try:
        done = session.ask("stack", "rm", stack, "--yes", "--force")
    except UserError:
        # Not set up here, or somebody else's backend: this checkout knows of no state to remove.
        return []
    if done.returncode and "no stack named" not in done.stderr:
        return [f'state of stack "{stack}" stays: {done.stderr.strip().removeprefix("error: ")}']
    shutil.rmtree(session.runtime, ignore_errors=True)
    return []


if __name__ == "__main__":
    sys.exit(main())
