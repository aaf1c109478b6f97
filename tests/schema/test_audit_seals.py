"""Rows of the audit log are sealed exactly once, and whatever happens to them then shows, whoever does it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.types.json import Jsonb

from infra.access import matrix
from tests import timeouts
from tests.asserts.eventually import eventually
from tests.fixtures.commands import executed
from tests.fixtures.schema_database import Connection, SchemaDatabase
from tests.schema.rows import make_tenant, one, seal

VERIFY = "SELECT broken_seal, problem FROM pipe.audit_verify(1)"
NEWEST = "SELECT coalesce(max(number), 0) FROM pipe.audit_seals"
MONTH = "SELECT 'pipe.' || pipe.partition_name('audit_logs', pipe.current_month())"


@pytest.fixture
def migrator(database: SchemaDatabase) -> Iterator[Connection]:
    """The role that the jobs run as."""
    with database.session(matrix.MIGRATOR, autocommit=True) as connection:
        yield connection


@pytest.fixture
def sealed(database: SchemaDatabase, migrator: Connection) -> int:
    """The number of a seal over committed rows, of which it is the newest."""
    with database.session(matrix.APP) as connection:
        make_tenant(connection)
        connection.commit()
    seal(migrator)
    assert migrator.execute(VERIFY).fetchone() == (None, None)
    return int(str(one(migrator, NEWEST)))


def problem(connection: Connection) -> tuple[int | None, str | None]:
    found = connection.execute(VERIFY).fetchone()
    assert found is not None
    return found[0], found[1]


def test_a_seal_covers_what_was_committed_and_the_next_one_goes_on(
    database: SchemaDatabase, migrator: Connection, sealed: int
) -> None:
    with database.session(matrix.APP) as connection:
        make_tenant(connection)
        connection.commit()
    said = one(migrator, "SELECT pipe.audit_seal()")
    assert str(said).startswith(f"audit_seal_{sealed + 1}_")
    rows = migrator.execute(
        "SELECT number, first_transaction, end_transaction, row_count, previous_hash, hash FROM pipe.audit_seals"
        " WHERE number >= %s ORDER BY number",
        (sealed,),
    ).fetchall()
    (_, _, end, _, _, digest), (_, first, _, count, previous, _) = rows
    assert (first, previous) == (end, digest)
    assert count >= 3
    assert problem(migrator) == (None, None)


def test_without_new_rows_there_is_no_new_seal(migrator: Connection, sealed: int) -> None:
    assert one(migrator, "SELECT pipe.audit_seal()") == "nothing to seal"
    assert one(migrator, NEWEST) == sealed


def test_a_transaction_that_still_runs_is_sealed_once_it_has_ended(
    database: SchemaDatabase, migrator: Connection, sealed: int
) -> None:
    """Rows of others that committed meanwhile wait with it; none is lost, none is in two seals."""
    with database.session(matrix.APP) as slow, database.session(matrix.APP) as quick:
        late = make_tenant(slow)
        early = make_tenant(quick)
        quick.commit()
        migrator.execute("SELECT pipe.audit_seal()")
        assert one(migrator, "SELECT unsealed_since IS NOT NULL FROM pipe.audit_seal_status()") is True
        slow.commit()
    seal(migrator)
    for tenant in (late, early):
        seals = one(
            migrator,
            "SELECT count(*) FROM pipe.audit_logs JOIN pipe.audit_seals"
            " ON transaction_id >= first_transaction AND transaction_id < end_transaction"
            " WHERE row_key ->> 'id' = %s",
            str(tenant.user),
        )
        assert seals == 1
    assert one(migrator, "SELECT unsealed_since FROM pipe.audit_seal_status()") is None
    assert problem(migrator) == (None, None)


@pytest.mark.parametrize("role", [matrix.OWNER, matrix.PROVISIONER])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE {month} SET app_user = 'somebody else' WHERE transaction_id = {xid}", "of which some were changed"),
        ("DELETE FROM {month} WHERE transaction_id = {xid} AND table_name = 'users'", "rows where"),
        (
            "INSERT INTO {month} (transaction_id, session_role, acting_role, operation, table_name)"
            " VALUES ({xid}, 'x', 'x', 'INSERT', 'users')",
            "rows where",
        ),
    ],
)
def test_a_row_that_the_mighty_change_remove_or_slip_in_breaks_its_seal(
    owner: Connection, sealed: int, role: str, change: str, told: str
) -> None:
    xid = one(owner, "SELECT quote_literal(max(transaction_id)) FROM pipe.audit_logs, pipe.audit_seals"
              " WHERE number = %s AND transaction_id < end_transaction", sealed)  # fmt: skip
    month = one(owner, MONTH)
    owner.execute(f"SET LOCAL ROLE {role}".encode())
    owner.execute("ALTER TABLE pipe.audit_logs DISABLE TRIGGER append_only")
    owner.execute(change.format(month=month, xid=xid).encode())
    broken, why = problem(owner)
    assert broken == sealed
    assert told in str(why)


def test_a_row_with_a_false_time_in_another_month_is_found(owner: Connection, sealed: int) -> None:
    owner.execute(
        "INSERT INTO pipe.audit_logs (occurred_at, transaction_id, session_role, acting_role, operation, table_name)"
        " SELECT occurred_at + interval '2 months', transaction_id, 'x', 'x', 'INSERT', 'users' FROM pipe.audit_logs"
        " WHERE transaction_id < (SELECT max(end_transaction) FROM pipe.audit_seals) "
        " ORDER BY transaction_id DESC LIMIT 1"
    )
    assert problem(owner)[0] == sealed


@pytest.mark.parametrize(
    ("change", "broken", "told"),
    [
        ("UPDATE pipe.audit_seals SET sealed_at = sealed_at - interval '1 hour' WHERE number = %s", 0, "was changed"),
        ("DELETE FROM pipe.audit_seals WHERE number = %s - 1", -1, "it is missing"),
        ("DELETE FROM pipe.audit_seals WHERE number = %s", 0, "an earlier check saw seals up to"),
    ],
)
def test_a_seal_that_is_changed_or_removed_is_named(
    database: SchemaDatabase, owner: Connection, sealed: int, change: str, broken: int, told: str
) -> None:
    with database.session(matrix.APP) as connection:
        make_tenant(connection)
        connection.commit()
    with database.session(matrix.MIGRATOR, autocommit=True) as migrator:
        seal(migrator)
        migrator.execute(VERIFY)
    owner.execute("ALTER TABLE pipe.audit_seals DISABLE TRIGGER append_only")
    owner.execute(change.encode(), (sealed + 1,))
    number, why = problem(owner)
    assert number == sealed + 1 + broken
    assert told in str(why)


def test_a_chain_made_anew_differs_from_what_left_the_database(
    database: SchemaDatabase, owner: Connection, sealed: int
) -> None:
    """The log of the server has the hash that was; inside the database nothing can show it."""
    digest = one(owner, "SELECT encode(hash, 'hex') FROM pipe.audit_seals WHERE number = %s", sealed)
    log = eventually(
        lambda: database.container.logs(tail=2000).decode(),
        lambda text: f"has hash {digest}" in text,
        timeouts.COMMAND,
        "the hash in the server's log",
    )
    assert f"pipe audit: seal {sealed} over" in log


def test_a_seal_leaves_the_database_in_the_wal_too(database: SchemaDatabase, migrator: Connection) -> None:
    start = one(migrator, "SELECT pg_current_wal_lsn()")
    with database.session(matrix.APP) as connection:
        make_tenant(connection)
        connection.commit()
    migrator.execute("SELECT pipe.audit_seal()")
    number, digest = migrator.execute(
        "SELECT number, encode(hash, 'hex') FROM pipe.audit_seals ORDER BY number DESC LIMIT 1"
    ).fetchall()[0]
    # By name: what it would find first may be a segment that is empty as yet.
    files = [str(one(migrator, f"SELECT pg_walfile_name({at})")) for at in (f"'{start}'", "pg_current_wal_lsn()")]
    options = ("--path=/tmp/data/pg_wal", f"--start={start}", "--rmgr=XLOG")
    _, said = executed(database.container, "pg_waldump", *options, *files)
    assert f"desc: RESTORE_POINT audit_seal_{number}_{digest[:12]}\n" in said


@pytest.mark.parametrize("statement", ["UPDATE pipe.audit_seals SET row_count = 9", "DELETE FROM pipe.audit_seals",
                                       "TRUNCATE pipe.audit_seals"])  # fmt: skip
def test_seals_are_append_only_for_the_mighty_too(owner: Connection, sealed: int, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="seals are append-only"):
        owner.execute(statement.encode())


def test_what_a_check_found_is_kept_and_shown_until_all_seals_hold_again(owner: Connection, sealed: int) -> None:
    owner.execute("ALTER TABLE pipe.audit_logs DISABLE TRIGGER append_only")
    owner.execute(
        "DELETE FROM pipe.audit_logs"
        " WHERE transaction_id < (SELECT end_transaction FROM pipe.audit_seals WHERE number = 1)"
    )
    assert problem(owner)[0] == 1
    owner.execute("SELECT pipe.audit_verify()")
    assert one(owner, "SELECT broken_seal FROM pipe.audit_seal_status()") == 1


def test_a_month_that_moves_to_the_archive_stays_under_seal(owner: Connection, sealed: int) -> None:
    """Detached and in neither table, then archived."""
    month = str(one(owner, MONTH))
    bare = month.removeprefix("pipe.")
    owner.execute(f"ALTER TABLE pipe.audit_logs DETACH PARTITION {month}".encode())
    assert problem(owner) == (None, None)
    owner.execute(f"ALTER TABLE {month} SET SCHEMA archive".encode())
    start, end = owner.execute(
        "SELECT pipe.partition_bound(pipe.current_month()),"
        " pipe.partition_bound((pipe.current_month() + interval '1 month')::date)"
    ).fetchall()[0]
    owner.execute(
        f"ALTER TABLE archive.audit_logs ATTACH PARTITION archive.{bare}"
        f" FOR VALUES FROM ('{start}') TO ('{end}')".encode()
    )
    assert problem(owner) == (None, None)


def test_a_month_that_was_dropped_is_missed_unless_the_log_tells_of_it(owner: Connection, sealed: int) -> None:
    month = str(one(owner, MONTH))
    first = one(owner, "SELECT min(number) FROM pipe.audit_seals WHERE last_row_at >= pipe.current_month()")
    # What is not under seal yet is not missed.
    sealed_only = f"DELETE FROM {month} WHERE transaction_id >= (SELECT max(end_transaction) FROM pipe.audit_seals)"
    owner.execute(f"ALTER TABLE pipe.audit_logs DETACH PARTITION {month}".encode())
    owner.execute(sealed_only.encode())
    rows = int(str(one(owner, f"SELECT count(*) FROM {month}")))
    owner.execute(f"DROP TABLE {month}".encode())
    assert problem(owner)[0] == first
    told = (
        "INSERT INTO pipe.audit_logs (occurred_at, session_role, acting_role, operation, table_name, new_values)"
        " VALUES (clock_timestamp() + interval '1 month', 'x', 'x', 'DROP_MONTH', %s, %s)"
    )
    name = month.removeprefix("pipe.")
    owner.execute(told.encode(), (name, None))
    assert problem(owner)[0] == first, "without count and checksum it is no export"
    owner.execute(told.encode(), (name, Jsonb({"rows": rows + 1, "checksum": "", "sha256": ""})))
    assert problem(owner) == (first, f"{rows} rows are missing from here on, where {rows + 1} were exported")
    owner.execute(told.encode(), (name, Jsonb({"rows": rows, "checksum": "", "sha256": ""})))
    assert problem(owner) == (None, None)


def test_the_auditor_may_read_seals_and_verify_and_nothing_else(database: SchemaDatabase, sealed: int) -> None:
    with database.session(matrix.AUDITOR) as auditor:
        assert auditor.execute("SELECT * FROM pipe.audit_seals WHERE number = %s", (sealed,)).rowcount == 1
        assert problem(auditor) == (None, None)
        assert one(auditor, "SELECT verified_by FROM pipe.audit_verifications ORDER BY number DESC LIMIT 1") == (
            matrix.AUDITOR
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            auditor.execute("SELECT pipe.audit_seal()")


def test_the_digest_does_not_depend_on_who_asks(migrator: Connection, sealed: int) -> None:
    for setting in (
        "TimeZone = 'Asia/Tokyo'",
        "DateStyle = 'German'",
        "extra_float_digits = 0",
        "IntervalStyle = 'iso_8601'",
    ):
        migrator.execute(f"SET {setting}".encode())
    assert problem(migrator) == (None, None)
