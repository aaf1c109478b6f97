"""One database for all files of this folder; what they write is rolled back, or is in months of their own.

A file that needs an empty one, or leaves rows behind, says ``OWN_DATABASE = True``.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.access import matrix
from tests.fixtures.schema_database import Connection, SchemaDatabase, schema_database
from tests.schema.rows import Tenant, make_tenant

# Nothing runs by itself: what is archived or sealed meanwhile would be another question.
QUIET = {"cron.launch_active_jobs": "off"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the files here as tests that need containers, and keep them on one worker: they share a server."""
    for item in items:
        if "tests/schema" in item.path.as_posix():
            item.add_marker(pytest.mark.integration)
            item.add_marker(pytest.mark.xdist_group("schema"))


@pytest.fixture(scope="session")
def shared_database() -> Iterator[SchemaDatabase]:
    """The server of every file that has none of its own."""
    with schema_database() as started:
        yield started


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest) -> Iterator[SchemaDatabase]:
    """The server with the schema in it."""
    if not getattr(request.module, "OWN_DATABASE", False):
        yield request.getfixturevalue("shared_database")
        return
    with schema_database(durable=False, **QUIET) as started:
        yield started


@pytest.fixture
def app(database: SchemaDatabase) -> Iterator[Connection]:
    """A session of the application, rolled back."""
    with database.session(matrix.APP) as connection:
        yield connection


@pytest.fixture
def owner(database: SchemaDatabase) -> Iterator[Connection]:
    """A session that may do everything, rolled back."""
    with database.session(matrix.PROVISIONER) as connection:
        yield connection


@pytest.fixture
def migrator(database: SchemaDatabase) -> Iterator[Connection]:
    """The role that the jobs belong to; every statement is a transaction of its own."""
    with database.session(matrix.MIGRATOR, autocommit=True) as connection:
        yield connection


@pytest.fixture
def tenant(app: Connection) -> Tenant:
    """An organization with a user and a pipeline, in the application's open transaction."""
    return make_tenant(app)
