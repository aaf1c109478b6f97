"""Role: a login or a group. The password goes to the server as a SCRAM verifier, never in the clear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from airgap.base import Context, Created, Failure, Found, Properties, ProviderError, Resource
from airgap.postgresql import plan, plan_role, queries, scram
from airgap.postgresql.connection import Server, Session
from airgap.postgresql.values import at_least, in_order_of, marker, name_failures

_QUERY = """
    SELECT r.rolsuper AS superuser, r.rolinherit AS inherit, r.rolcreaterole AS "createRole",
           r.rolcreatedb AS "createDatabase", r.rolcanlogin AS login, r.rolreplication AS replication,
           r.rolbypassrls AS "bypassRowLevelSecurity", r.rolconnlimit AS "connectionLimit", r.rolconfig AS config,
           COALESCE(r.rolvaliduntil, 'infinity')::text AS expiry,
           COALESCE(r.rolvaliduntil, 'infinity') = %(expiry)s::timestamptz AS same_expiry,
           pg_catalog.shobj_description(r.oid, 'pg_authid') AS comment
      FROM pg_catalog.pg_roles r WHERE r.rolname = %(name)s"""
_VERIFIER = "SELECT rolpassword AS verifier FROM pg_catalog.pg_authid WHERE rolname = %(name)s"
_MAY_READ = "SELECT rolsuper AS allowed FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER"
_NOT_STATE = frozenset({"comment"})


class Role(Resource):
    """`postgresql.Role`."""

    defaults: ClassVar[Mapping[str, Any]] = {
        "connectionLimit": -1,
        "encryptedPassword": True,
        "inherit": True,
        "validUntil": "infinity",
    }
    unordered = frozenset({"roles"})
    unsupported: ClassVar[Mapping[str, str]] = {
        "encrypted": "leave it out, PostgreSQL always stores passwords hashed",
        "passwordWo": "use password",
        "passwordWoVersion": "use password",
    }
    autoname = "name"

    def check(self, context: Context, inputs: Properties, old_inputs: Properties) -> list[Failure]:
        failures = name_failures(inputs, "name", "assumeRole")
        failures += at_least(inputs, -1, "connectionLimit")
        failures += at_least(inputs, 0, "statementTimeout", "idleInTransactionSessionTimeout")
        if inputs.get("encryptedPassword") is False:
            failures.append(Failure("encryptedPassword", "must be true: PostgreSQL stores no password in the clear"))
        return failures

    def normalise(self, values: Properties) -> Properties:
        expiry = values.get("validUntil")
        return (
            {**values, "validUntil": "infinity"} if isinstance(expiry, str) and expiry.lower() == "infinity" else values
        )

    def create(self, context: Context, inputs: Properties) -> Created:
        server: Server = context.client
        name = str(inputs["name"])

        def work(session: Session) -> Properties:
            actual = _look(session, name, inputs)
            if actual is not None and actual["comment"] != marker(context.urn):
                raise ProviderError(
                    f'could not create role "{name}": it exists already',
                    "take it over with `pulumi import`, or choose another name",
                )
            _bring(session, server, name, actual, inputs, _password(session, name, inputs))
            session.execute([plan_role.comment(name, marker(context.urn))])
            return _state(session, server, name, inputs) or {}

        return Created(name, server.change(None, f'create role "{name}"', work))

    def read(self, context: Context, id: str, state: Properties, inputs: Properties) -> Found | None:
        server: Server = context.client
        name = str(state.get("name") or id)
        found = server.read(None, f'read role "{name}"', lambda session: _state(session, server, name, state))
        return Found(found, id=name) if found is not None else None

    def update(
        self, context: Context, id: str, state: Properties, old_inputs: Properties, inputs: Properties
    ) -> Properties:
        server: Server = context.client
        old, name = str(state.get("name") or id), str(inputs["name"])

        def work(session: Session) -> Properties:
            session.execute(plan_role.rename(old, name))
            actual = _look(session, name, inputs)
            if actual is None:
                raise ProviderError(
                    f'could not alter role "{name}": it does not exist', "run `pulumi refresh`, then `pulumi up`"
                )
            changed = state.get("password") != inputs.get("password") or old != name
            _bring(session, server, name, actual, inputs, _password(session, name, inputs) if changed else None)
            return _state(session, server, name, inputs) or {}

        return server.change(None, f'alter role "{name}"', work)

    def delete(self, context: Context, id: str, state: Properties) -> None:
        server: Server = context.client
        name = str(state.get("name") or id)

        def work(session: Session) -> None:
            if queries.role_id(session, name) is not None:
                reassign, drop = bool(state.get("skipReassignOwned")), bool(state.get("skipDropRole"))
                session.execute(plan_role.drop(name, reassign, drop))

        server.change(None, f'drop role "{name}"', work)


def _look(session: Session, name: str, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """The role as it is, under the names of the inputs; None when there is none."""
    wish = str(wanted.get("validUntil") or "infinity")
    row = session.one(_QUERY, {"name": name, "expiry": wish})
    if row is None:
        return None
    same, expiry, config = row.pop("same_expiry"), row.pop("expiry"), row.pop("config")
    # One moment has many spellings: the user's stays as long as it is the same moment.
    return {**row, **plan_role.settings_of(config), "validUntil": wish if same else expiry}


def _bring(
    session: Session,
    server: Server,
    name: str,
    actual: Mapping[str, Any] | None,
    wanted: Properties,
    password: str | None,
) -> None:
    """Creates or alters the role, then settles what it is a member of."""
    statements = plan_role.role(name, actual, wanted, password)
    held = queries.memberships(session, name) if actual is not None else []
    roles = frozenset(wanted.get("roles") or ())
    session.execute(statements + plan.memberships(name, held, roles, session.version >= 160000))


def _password(session: Session, name: str, wanted: Properties) -> str | None:
    """What to set as the password: the verifier, "" for NULL, None where the user says nothing about it."""
    password = str(wanted.get("password") or "")
    if not password:
        return None
    if password.upper() == "NULL":
        return ""
    return password if scram.is_verifier(password) else session.verifier(password, name)


def _state(session: Session, server: Server, name: str, known: Properties) -> Properties | None:
    """The state of the role: what is in the catalog, and what only the program knows."""
    actual = _look(session, name, known)
    if actual is None:
        return None
    found: Properties = {key: value for key, value in actual.items() if key not in _NOT_STATE}
    found["name"] = name
    found["encryptedPassword"] = True
    found["skipDropRole"] = bool(known.get("skipDropRole"))
    found["skipReassignOwned"] = bool(known.get("skipReassignOwned"))
    roles = {one.role for one in queries.memberships(session, name)}
    found["roles"] = in_order_of(known.get("roles") or [], roles)
    if known.get("password"):
        found["password"] = _known_password(session, server, name, str(known["password"]))
    return found


def _known_password(session: Session, server: Server, name: str, password: str) -> str:
    """The password as long as the stored verifier was made from it, else what is stored: that shows as drift."""
    if not server.settings.superuser:
        return password
    allowed = session.one(_MAY_READ)
    if not allowed or not allowed["allowed"]:
        raise ProviderError(
            f'could not read the password of role "{name}": "{server.settings.username}" is no superuser',
            "set `superuser` of the provider to false: passwords are then not compared with the server's",
        )
    row = session.one(_VERIFIER, {"name": name})
    stored = str(row["verifier"] or "") if row else ""
    if password.upper() == "NULL" and not stored:
        return password
    return password if scram.belongs(password, stored, name) else stored
