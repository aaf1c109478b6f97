"""Database: made outside any transaction, because PostgreSQL wants it so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from airgap.base import Context, Created, Failure, Found, Properties, ProviderError, Resource
from airgap.postgresql import plan_database
from airgap.postgresql.connection import Server, Session
from airgap.postgresql.values import at_least, marker, name_failures

_QUERY = """
    SELECT d.datname AS name, pg_catalog.pg_get_userbyid(d.datdba)::text AS owner,
           pg_catalog.pg_encoding_to_char(d.encoding)::text AS encoding, d.datcollate::text AS "lcCollate",
           d.datctype::text AS "lcCtype", t.spcname::text AS "tablespaceName", d.datconnlimit AS "connectionLimit",
           d.datallowconn AS "allowConnections", d.datistemplate AS "isTemplate",
           pg_catalog.shobj_description(d.oid, 'pg_database') AS comment
      FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace
     WHERE d.datname = %(name)s"""


class Database(Resource):
    """`postgresql.Database`."""

    defaults: ClassVar[Mapping[str, Any]] = {"allowConnections": True, "connectionLimit": -1}
    computed = frozenset({"encoding", "isTemplate", "lcCollate", "lcCtype", "owner", "tablespaceName", "template"})
    autoname = "name"

    def check(self, context: Context, inputs: Properties, old_inputs: Properties) -> list[Failure]:
        failures = name_failures(inputs, "name", "owner", "tablespaceName", "template")
        failures += at_least(inputs, -1, "connectionLimit")
        for name in ("encoding", "lcCollate", "lcCtype", "tablespaceName", "template"):
            if isinstance(inputs.get(name), str) and inputs[name].upper() == "DEFAULT":
                failures.append(Failure(name, "must be a name; leave it out for the default"))
        return failures

    def normalise(self, values: Properties) -> Properties:
        encoding = values.get("encoding")
        if not isinstance(encoding, str):
            return values
        # The server takes "utf-8" and says "UTF8".
        return {**values, "encoding": re.sub(r"[^A-Z0-9_]", "", encoding.upper())}

    def create(self, context: Context, inputs: Properties) -> Created:
        server: Server = context.client
        name = str(inputs["name"])
        server.leave(str(inputs.get("template") or "template0"))

        def work(session: Session) -> Properties:
            actual = session.one(_QUERY, {"name": name})
            if actual is None:
                told = plan_database.comment(name, marker(context.urn))
                session.execute_together([plan_database.create(name, inputs), told])
            elif actual["comment"] == marker(context.urn):
                session.execute(plan_database.alter(name, actual, inputs))
            else:
                raise ProviderError(
                    f'could not create database "{name}": it exists already',
                    "take it over with `pulumi import`, or choose another name",
                )
            return _state(session, name, inputs) or {}

        return Created(name, server.outside(f'create database "{name}"', work))

    def read(self, context: Context, id: str, state: Properties, inputs: Properties) -> Found | None:
        server: Server = context.client
        name = str(state.get("name") or id)
        found = server.read(None, f'read database "{name}"', lambda session: _state(session, name, state))
        return Found(found, id=name) if found is not None else None

    def update(
        self, context: Context, id: str, state: Properties, old_inputs: Properties, inputs: Properties
    ) -> Properties:
        server: Server = context.client
        old, name = str(state.get("name") or id), str(inputs["name"])
        actual = _must_exist(server, old)
        owner = inputs.get("owner")
        if inputs.get("alterObjectOwnership") and owner and owner != actual["owner"]:
            statement = plan_database.reassign(actual["owner"], owner)
            server.change(old, statement.doing, lambda session: session.execute([statement]))
        # A database with sessions can be neither renamed nor moved, so ours must not be among them.
        server.leave(old)

        def work(session: Session) -> Properties:
            session.execute(plan_database.rename(old, name) + plan_database.alter(name, actual, inputs))
            return _state(session, name, inputs) or {}

        return server.outside(f'alter database "{name}"', work)

    def delete(self, context: Context, id: str, state: Properties) -> None:
        server: Server = context.client
        name = str(state.get("name") or id)
        server.leave(name)

        def work(session: Session) -> None:
            actual = session.one(_QUERY, {"name": name})
            if actual is not None:
                session.execute(plan_database.drop(name, actual["isTemplate"]))

        server.outside(f'drop database "{name}"', work)


def _must_exist(server: Server, name: str) -> dict[str, Any]:
    actual = server.read(None, f'read database "{name}"', lambda session: session.one(_QUERY, {"name": name}))
    if actual is None:
        raise ProviderError(
            f'could not alter database "{name}": it does not exist', "run `pulumi refresh`, then `pulumi up`"
        )
    return actual


def _state(session: Session, name: str, known: Properties) -> Properties | None:
    actual = session.one(_QUERY, {"name": name})
    if actual is None:
        return None
    actual.pop("comment")
    return {
        **actual,
        "template": known.get("template") or "template0",
        "alterObjectOwnership": bool(known.get("alterObjectOwnership")),
    }
