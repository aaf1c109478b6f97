"""What holds for every value, not for chosen ones: hashes that are taken, months that rows go to, what is redacted."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, date, datetime, timedelta
from typing import Any

import bcrypt
import psycopg
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from tests.fixtures.schema_database import Connection
from tests.schema.rows import Tenant, make_tenant, one

thorough = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100, derandomize=True
)
frugal = settings(thorough, max_examples=20)

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXT = st.text(CHARACTERS, max_size=60)
ALPHABET = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def bcrypt_hashes(draw: st.DrawFn) -> str:
    """A hash in the form of bcrypt; making real ones takes long by design."""
    body = draw(st.text(st.sampled_from(ALPHABET), min_size=53, max_size=53))
    return f"${draw(st.sampled_from(['2a', '2b', '2y']))}${draw(st.integers(4, 31)):02}${body}"


@st.composite
def key_hashes(draw: st.DrawFn) -> str:
    """A hash of a key as an application would make it."""
    key, salt = draw(st.binary(min_size=1, max_size=64)), draw(st.binary(min_size=16, max_size=16))
    derived = hashlib.pbkdf2_hmac("sha256", key, salt, 1)
    encoded = [base64.b64encode(part).decode().rstrip("=") for part in (salt, derived)]
    return draw(
        st.sampled_from(
            [
                f"sha256:{hashlib.sha256(key).hexdigest()}",
                f"hmac-sha256:{hashlib.sha256(key + salt).hexdigest()}",
                f"sha512:{hashlib.sha512(key).hexdigest()}",
                f"hmac-sha512:{hashlib.sha512(key + salt).hexdigest()}",
                "$pbkdf2-sha256$i=600000$" + "$".join(encoded),
                "$argon2id$v=19$m=65536,t=3,p=4$" + "$".join(encoded),
                "$scrypt$ln=17,r=8,p=1$" + "$".join(encoded),
            ]
        )
    )


def takes_password(app: Connection, tenant: Tenant, value: str) -> bool:
    return _takes(app, "UPDATE pipe.users SET password_hash = %s WHERE id = %s", value, tenant.user)


def takes_key(app: Connection, tenant: Tenant, value: str) -> bool:
    insert = "INSERT INTO pipe.api_keys (key_hash, organization_id, name) VALUES (%s, %s, 'ci')"
    return _takes(app, insert, value, tenant.organization)


def _takes(app: Connection, statement: str, *values: object) -> bool:
    try:
        with app.transaction(force_rollback=True):
            app.execute(statement.encode(), values)
    except (psycopg.errors.CheckViolation, psycopg.errors.StringDataRightTruncation):
        return False
    return True


@frugal
@given(st.binary(max_size=72).filter(lambda password: b"\0" not in password), st.sampled_from([b"2a", b"2b"]))
def test_whatever_bcrypt_makes_is_taken(app: Connection, tenant: Tenant, password: bytes, prefix: bytes) -> None:
    made = bcrypt.hashpw(password, bcrypt.gensalt(4, prefix)).decode()
    assert takes_password(app, tenant, made)
    assert takes_key(app, tenant, made)


@thorough
@given(bcrypt_hashes(), st.data())
def test_a_password_hash_with_a_character_more_or_less_is_refused(
    app: Connection, tenant: Tenant, value: str, data: st.DataObject
) -> None:
    assert takes_password(app, tenant, value)
    place = data.draw(st.integers(0, len(value)))
    longer = value[:place] + data.draw(CHARACTERS) + value[place:]
    assert not takes_password(app, tenant, longer)
    assert not takes_password(app, tenant, value[: max(place, 1) - 1] + value[max(place, 1) :])


@thorough
@given(bcrypt_hashes(), st.integers(0, 59), CHARACTERS.filter(lambda character: character not in ALPHABET + "$"))
def test_a_password_hash_with_a_foreign_character_is_refused(
    app: Connection, tenant: Tenant, value: str, place: int, character: str
) -> None:
    assert not takes_password(app, tenant, value[:place] + character + value[place + 1 :])


@thorough
@given(TEXT)
def test_a_plain_text_is_neither_a_password_hash_nor_a_key_hash(app: Connection, tenant: Tenant, value: str) -> None:
    assert not takes_password(app, tenant, value)
    assert not takes_key(app, tenant, value)


@thorough
@given(key_hashes())
def test_hashes_of_keys_are_taken_and_none_of_them_is_a_password_s(app: Connection, tenant: Tenant, value: str) -> None:
    assert takes_key(app, tenant, value)
    assert not takes_password(app, tenant, value)


@thorough
@given(key_hashes(), CHARACTERS)
def test_what_stands_before_or_after_a_key_hash_spoils_it(
    app: Connection, tenant: Tenant, value: str, character: str
) -> None:
    assert not takes_key(app, tenant, character + value)
    # A longer digest of an encoded form is one of another length.
    assume(not (value.startswith("$") and character in ALPHABET + "+"))
    assert not takes_key(app, tenant, value + character)


@thorough
@given(st.binary(min_size=1, max_size=64))
def test_bare_hex_is_refused_since_a_raw_key_looks_like_it(app: Connection, tenant: Tenant, key: bytes) -> None:
    assert not takes_key(app, tenant, key.hex())
    assert not takes_key(app, tenant, hashlib.sha256(key).hexdigest())
    assert not takes_key(app, tenant, f"sha256:{hashlib.sha256(key).hexdigest()[:-1]}g")


@frugal
@given(
    # None that another test archives.
    st.dates(date(1970, 2, 1), date(1999, 11, 30)),
    st.sampled_from(["UTC", "Asia/Tokyo", "America/Los_Angeles", "Pacific/Kiritimati", "Asia/Kathmandu"]),
    st.timedeltas(timedelta(0), timedelta(days=31)),
)
def test_every_moment_of_a_month_goes_to_its_partition_and_no_other(
    owner: Connection, day: date, time_zone: str, offset: timedelta
) -> None:
    first = datetime(day.year, day.month, 1, tzinfo=UTC)
    after = (first + timedelta(days=32)).replace(day=1)
    last = after - timedelta(microseconds=1)
    name = f"pipeline_runs_y{first:%Y}m{first:%m}"
    insert = (
        "INSERT INTO pipe.pipeline_runs (pipeline_id, status, started_at) VALUES (%s, 'queued', %s)"
        " RETURNING tableoid::regclass::text"
    )
    with owner.transaction(force_rollback=True):
        tenant = make_tenant(owner)
        owner.execute("SELECT set_config('TimeZone', %s, true)", (time_zone,))
        assert one(owner, "SELECT pipe.ensure_partition('pipeline_runs', %s)", day) is True
        for moment in (first, min(first + offset, last), last):
            assert one(owner, insert, tenant.pipeline, moment) == f"pipe.{name}"
        for moment in (first - timedelta(microseconds=1), after):
            assert not _takes(owner, insert, tenant.pipeline, moment)


@thorough
@given(st.dictionaries(TEXT, VALUES, max_size=6), st.lists(TEXT, max_size=3), st.data())
def test_redaction_hides_what_it_is_told_and_nothing_else(
    owner: Connection, values: dict[str, Any], more: list[str], data: st.DataObject
) -> None:
    hidden = more + (data.draw(st.lists(st.sampled_from(sorted(values)), max_size=4)) if values else [])
    found = one(owner, "SELECT pipe.audit_redact(%s, %s)", Jsonb(values), hidden)
    assert found == {
        name: "[redacted]" if name in hidden and value is not None else value for name, value in values.items()
    }


@thorough
@given(bcrypt_hashes(), bcrypt_hashes(), st.text(CHARACTERS, min_size=1, max_size=100))
def test_no_hash_reaches_the_log_whatever_else_changes(owner: Connection, before: str, after: str, name: str) -> None:
    # Who is called like a hash is in the log by that name.
    assume(before[7:] not in name and after[7:] not in name)
    with owner.transaction(force_rollback=True):
        user = one(
            owner,
            "INSERT INTO pipe.users (email, name, password_hash) VALUES (%s, %s, %s) RETURNING id",
            f"{hashlib.sha256(name.encode()).hexdigest()}@example.com", name, before,
        )  # fmt: skip
        owner.execute("UPDATE pipe.users SET name = %s, password_hash = %s WHERE id = %s", (name, after, user))
        owner.execute("DELETE FROM pipe.users WHERE id = %s", (user,))
        rows = owner.execute(
            "SELECT operation, old_values, new_values FROM pipe.audit_logs"
            " WHERE table_name = 'users' AND row_key ->> 'id' = %s ORDER BY occurred_at",
            (str(user),),
        ).fetchall()
    assert [operation for operation, *_ in rows] == ["INSERT", "UPDATE", "DELETE"]
    assert rows[0][2]["name"] == name
    assert rows[0][2]["password_hash"] == rows[2][1]["password_hash"] == "[redacted]"
    # One that changed shows, without what it was or is.
    changed = before != after
    assert ("password_hash" in rows[1][2]) is changed
    assert before[7:] not in str(rows)
    assert after[7:] not in str(rows)
