"""Which stacks `make sweep` takes, and which it never does."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.engine import Kind
from cli.errors import UserError
from cli.session import Session
from delivery import sweep
from delivery.leftovers import Facts, Thing, Verdict, judge, parse_time, pull_request, refusal

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LIMIT = timedelta(hours=12)


def thing(stack: str, hours: float | None, kind: Kind = "container") -> Thing:
    created = None if hours is None else NOW - timedelta(hours=hours)
    return Thing(kind, f"{kind}-{stack}", f"pipe-{stack}-{kind}", stack, created)


def only(*things: Thing, stack: str | None = None, facts: Facts | None = None) -> Verdict:
    (verdict,) = judge(things, NOW, LIMIT, stack, facts)
    return verdict


def test_an_old_throw_away_stack_is_swept_whole() -> None:
    verdict = only(thing("t-12", 13), thing("t-12", 20, "volume"), thing("t-12", 20, "network"))
    assert verdict.sweep
    assert verdict.why == "13.0 h old"
    assert {item.kind for item in verdict.things} == {"container", "volume", "network"}


def test_a_young_one_is_kept() -> None:
    young = thing("t-12", 11.9)
    assert only(young) == Verdict("t-12", False, "11.9 h old, in use up to 12.0 h", (young,))


def test_the_youngest_object_counts() -> None:
    assert not only(thing("t-12", 100, "volume"), thing("t-12", 1)).sweep


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_lasting_stacks_are_never_swept(stack: str) -> None:
    assert not only(thing(stack, 10_000)).sweep
    assert not only(thing(stack, 10_000), stack=stack).sweep
    assert refusal(stack) == "a lasting stack"


@pytest.mark.parametrize(
    "stack", ["", "production", "pr", "pr-", "prod-eu", "mine", "dev-2", "PR-12", "pr-12/x", "xpr-12"]
)
def test_other_names_are_never_swept(stack: str) -> None:
    verdict = only(thing(stack, 10_000))
    assert (verdict.sweep, verdict.why) == (False, "not a throw-away stack's name")


@pytest.mark.parametrize("stack", ["pr-1", "t-users-a1b2c3", "test-a1b2c3", "bench-00ff00", "sweep-9"])
def test_names_of_throw_away_stacks(stack: str) -> None:
    assert only(thing(stack, 13), facts=Facts(open_pulls={1: False})).sweep


def test_an_open_pull_requests_stack_is_kept_whatever_its_age() -> None:
    facts = Facts(open_pulls={12: True, 13: False})
    assert only(thing("pr-12", 10_000), facts=facts).why == "its pull request is open"
    assert only(thing("pr-13", 13), facts=facts).sweep
    assert not only(thing("pr-13", 11), facts=facts).sweep


@pytest.mark.parametrize("open_pulls", [{12: None}, {}])
def test_no_answer_about_a_pull_request_keeps_its_stack(open_pulls: dict[int, bool | None]) -> None:
    verdict = only(thing("pr-12", 10_000), facts=Facts(open_pulls=open_pulls))
    assert (verdict.sweep, verdict.why) == (False, "whether its pull request is open is not known")


def test_with_nobody_to_ask_a_pull_requests_stack_has_two_weeks() -> None:
    assert only(thing("pr-12", 14 * 24)).why == "336.0 h old, in use up to 336.0 h"
    assert only(thing("pr-12", 14 * 24 + 1)).sweep
    (later,) = judge([thing("pr-12", 400)], NOW, timedelta(hours=500))
    assert later.why == "400.0 h old, in use up to 500.0 h"


def test_only_a_number_makes_it_a_pull_requests() -> None:
    assert [pull_request(stack) for stack in ("pr-12", "pr-a1", "pr-1-2", "t-12")] == [12, None, None, None]
    assert only(thing("pr-a1", 13), facts=Facts(open_pulls={})).sweep


@pytest.mark.parametrize("asked", [None, "t-a1"])
def test_what_its_state_protects_stays_even_if_asked_for(asked: str | None) -> None:
    facts = Facts({"t-a1": "it is protected: member-0-data"})
    verdict = only(thing("t-a1", 100), stack=asked, facts=facts)
    assert (verdict.sweep, verdict.why) == (False, "it is protected: member-0-data")


def test_the_state_of_a_throw_away_stack_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "backend", f"file://{tmp_path}")
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    stacks = tmp_path / ".pulumi" / "stacks" / "pipe"
    stacks.mkdir(parents=True)
    urns = [("volume", True), ("network", False)]
    resources = [{"urn": f"urn:pulumi:s::pipe::t::{name}", "protect": protect} for name, protect in urns]
    for stack in ("t-held", "prod"):
        (stacks / f"{stack}.json").write_text(json.dumps({"checkpoint": {"latest": {"resources": resources}}}))
    (stacks / "t-free.json").write_text('{"checkpoint": {"latest": null}}')
    (stacks / "t-torn.json").write_text('{"checkp')

    facts = sweep.learn({"t-held", "t-free", "t-torn", "t-gone", "prod", "pr-1"}, ask=True)
    assert facts.open_pulls is None
    assert sorted(facts.kept) == ["t-held", "t-torn"]
    assert facts.kept["t-held"] == "it is protected: volume"
    assert facts.kept["t-torn"].startswith("its state is not understood: ")


def test_an_unreachable_state_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Session) -> str:
        raise UserError("this checkout is not set up")

    monkeypatch.setattr(Session, "backend", property(refuse))
    assert sweep.learn({"t-a1"}, ask=False) == Facts()


def test_an_unknown_age_keeps_the_whole_stack() -> None:
    assert only(thing("t-12", 100), thing("t-12", None, "volume")).why == "its age is not known"


def test_asked_for_goes_whatever_its_age_and_others_stay() -> None:
    verdicts = judge([thing("pr-1", 100), thing("pr-2", 0)], NOW, LIMIT, "pr-2")
    assert [(verdict.stack, verdict.sweep) for verdict in verdicts] == [("pr-1", False), ("pr-2", True)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T12:00:00Z", NOW),
        ("2026-03-01T12:00:00.123456789Z", NOW + timedelta(microseconds=123456)),
        ("2026-03-01T13:00:00+01:00", NOW),
        ("2026-03-01T12:00:00.5Z", NOW + timedelta(milliseconds=500)),
        ("0001-01-01T00:00:00Z", None),
        ("2026-13-01T12:00:00Z", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_times_as_the_engine_prints_them(text: str | None, expected: datetime | None) -> None:
    assert parse_time(text) == expected
