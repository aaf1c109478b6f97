"""Whatever is sent: a password's column takes bcrypt and a key's column secure hashes, and nothing else."""

from __future__ import annotations

import re

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fixtures.schema_database import Connection
from tests.schema.rows import Tenant

BCRYPT64 = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
bcrypt = st.builds(
    lambda version, cost, rest: f"$2{version}${cost:02}${rest}",
    st.sampled_from("aby"),
    st.integers(4, 31),
    st.text(BCRYPT64, min_size=53, max_size=53),
)
hexadecimal = st.builds(
    lambda keyed, size, digits: f"{keyed}sha{size}:{(digits * 128)[: size // 4]}",
    st.sampled_from(["", "hmac-"]),
    st.sampled_from([256, 512]),
    st.text("0123456789abcdef", min_size=1, max_size=128),
)
# Everything that a client can send: PostgreSQL's text holds no NUL, and UTF-8 no half of a pair.
character = st.characters(codec="utf-8", exclude_characters="\0")
anything = st.text(character, max_size=80)
ours = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80)


@st.composite
def damaged(draw: st.DrawFn, good: st.SearchStrategy[str]) -> str:
    """A good one with a character added, taken away or exchanged."""
    text, other = draw(good), draw(character)
    place = draw(st.integers(0, len(text) - 1))
    return text[:place] + draw(st.sampled_from(["", other, other + text[place]])) + text[place + 1 :]


def takes_password(app: Connection, value: str) -> bool:
    return _takes(app, "INSERT INTO pipe.users (email, name, password_hash) VALUES ('p@example.com', 'P', %s)", value)


def takes_key(app: Connection, tenant: Tenant, value: str) -> bool:
    statement = f"INSERT INTO pipe.api_keys (organization_id, name, key_hash) VALUES ('{tenant.organization}', 'k', %s)"
    return _takes(app, statement, value)


def _takes(app: Connection, statement: str, value: str) -> bool:
    try:
        with app.transaction(force_rollback=True):
            app.execute(statement.encode(), (value,))
    except (psycopg.errors.CheckViolation, psycopg.errors.StringDataRightTruncation):
        return False
    return True


def is_bcrypt(value: str) -> bool:
    """The rule in other words than the constraint's."""
    match = re.fullmatch(r"\$2([aby])\$(\d\d)\$(.{53})", value, re.ASCII | re.DOTALL)
    return match is not None and 4 <= int(match[2]) <= 31 and set(match[3]) <= set(BCRYPT64)


@ours
@given(bcrypt)
def test_every_bcrypt_hash_is_taken(app: Connection, tenant: Tenant, value: str) -> None:
    assert is_bcrypt(value)
    assert takes_password(app, value)
    assert takes_key(app, tenant, value)


@ours
@given(st.one_of(anything, damaged(bcrypt), hexadecimal))
def test_nothing_else_is_taken_as_a_password(app: Connection, value: str) -> None:
    assert takes_password(app, value) == is_bcrypt(value)


@ours
@given(hexadecimal)
def test_every_named_digest_is_taken_as_a_key(app: Connection, tenant: Tenant, value: str) -> None:
    assert takes_key(app, tenant, value)


@ours
@given(st.one_of(anything, damaged(hexadecimal), st.uuids().map(str), st.text("0123456789abcdef", min_size=32)))
def test_no_raw_key_is_taken(app: Connection, tenant: Tenant, value: str) -> None:
    named = re.fullmatch(r"(hmac-)?sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})", value)
    assert takes_key(app, tenant, value) == (named is not None or is_bcrypt(value))
