"""Grant: what one role may do with a database, a schema, or with tables, columns, sequences and routines in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from airgap.base import Context, Created, Diff, Failure, Found, Properties, ProviderError, Resource
from airgap.postgresql import checks, plan, privileges, queries
from airgap.postgresql.connection import Server, Session
from airgap.postgresql.errors import HINTS
from airgap.postgresql.plan import Held, Wanted
from airgap.postgresql.values import hashed, in_order_of

_ROUTINES = ("function", "procedure", "routine")


class Grant(Resource):
    """`postgresql.Grant`: the privileges change in place, everything else replaces.

    A replaced grant is revoked before the new one is granted: the other way round the revoke would take away what both
    have in common.
    """

    unordered = frozenset({"columns", "objects", "privileges"})

    def check(self, context: Context, inputs: Properties, old_inputs: Properties) -> list[Failure]:
        return checks.grant(inputs)

    def diff(self, context: Context, id: str, state: Properties, old_inputs: Properties, inputs: Properties) -> Diff:
        return Diff(tuple(self.changes(state, old_inputs, inputs)), delete_before_replace=True)

    def create(self, context: Context, inputs: Properties) -> Created:
        return Created(_id(inputs), _apply(context.client, inputs))

    def read(self, context: Context, id: str, state: Properties, inputs: Properties) -> Found | None:
        server: Server = context.client
        if not state:
            raise ProviderError(
                f'grant "{id}" cannot be imported: its id does not say where a name ends',
                "leave the import out: to create a Grant that holds already changes nothing",
            )

        def work(session: Session) -> Properties | None:
            held = _look(session, state)
            return None if not held and _gone(session, state) else _state(session, state, held)

        found = server.read_if_there(str(state["database"]), f"read {_shown(state)}", work)
        return Found(found, id=_id(found)) if found is not None else None

    def update(
        self, context: Context, id: str, state: Properties, old_inputs: Properties, inputs: Properties
    ) -> Properties:
        return _apply(context.client, inputs)

    def delete(self, context: Context, id: str, state: Properties) -> None:
        server: Server = context.client

        def work(session: Session) -> None:
            held, wanted = _look(session, state), _wanted(session, state)
            if state["objectType"] == "column":
                columns = frozenset(state.get("columns") or ())
                for table in held if wanted.privileges else []:
                    (privilege,) = wanted.privileges
                    ours = {privilege: tuple(columns & frozenset(table.columns.get(privilege, ())))}
                    session.execute(plan.grant_columns(replace(table, columns=ours), wanted, frozenset()))
                return
            if state.get("objects") and wanted.privileges:
                held = [replace(one, privileges=one.privileges & wanted.privileges) for one in held]
            session.execute(plan.grant(held, replace(wanted, privileges=frozenset(), grant_option=False)))

        server.change_if_there(str(state["database"]), f"revoke {_shown(state)}", work)


def _apply(server: Server, inputs: Properties) -> Properties:
    """Brings the privileges to what is wanted, and returns the state."""
    database = str(inputs["database"])

    def work(session: Session) -> Properties:
        _must_exist(session, inputs)
        held, wanted = _look(session, inputs), _wanted(session, inputs)
        missing = queries.missing_objects(inputs.get("objects") or [], held)
        if missing:
            kind = "table" if inputs["objectType"] == "column" else inputs["objectType"]
            names = ", ".join(f'"{inputs["schema"]}.{name}"' for name in missing)
            raise ProviderError(f"could not grant {_shown(inputs)}: {kind} {names} does not exist", HINTS["42P01"])
        if inputs["objectType"] == "column":
            session.execute(plan.grant_columns(held[0], wanted, frozenset(inputs["columns"])))
        else:
            session.execute(plan.grant(held, wanted))
        return _state(session, inputs, _look(session, inputs))

    return server.change(database, f"grant {_shown(inputs)}", work)


def _look(session: Session, inputs: Properties) -> list[Held]:
    """What the role holds on each of the objects that exist; empty when role, schema or all objects are missing."""
    grantee = queries.role_id(session, str(inputs["role"]))
    if grantee is None:
        return []
    kind, schema, names = str(inputs["objectType"]), str(inputs.get("schema") or ""), inputs.get("objects") or []
    if kind == "database":
        return queries.on_database(session, str(inputs["database"]), grantee)
    if kind == "schema":
        return queries.on_schema(session, schema, grantee)
    if kind in _ROUTINES:
        return queries.on_routines(session, kind, schema, names, grantee)
    return queries.on_relations(session, kind, schema, names, grantee)


def _wanted(session: Session, inputs: Properties) -> Wanted:
    kind = str(inputs["objectType"])
    names = privileges.expand(kind, inputs.get("privileges") or (), session.version)
    return Wanted(kind, str(inputs["role"]), names, bool(inputs.get("withGrantOption")))


def _must_exist(session: Session, inputs: Properties) -> None:
    """Raises the sentence that says what is missing: the role or the schema."""
    role, schema = str(inputs["role"]), inputs.get("schema")
    if queries.role_id(session, role) is None:
        raise ProviderError(f'could not grant {_shown(inputs)}: role "{role}" does not exist', HINTS["42704"])
    if schema and inputs["objectType"] != "database" and queries.schema_id(session, schema) is None:
        raise ProviderError(f'could not grant {_shown(inputs)}: schema "{schema}" does not exist', HINTS["3F000"])


def _gone(session: Session, state: Properties) -> bool:
    """Whether there is nothing left that the grant could be about; a schema without tables is not nothing."""
    if queries.role_id(session, str(state["role"])) is None:
        return True
    if state["objectType"] != "database" and queries.schema_id(session, str(state["schema"])) is None:
        return True
    return bool(state.get("objects")) or state["objectType"] in ("database", "schema")


def _state(session: Session, known: Properties, held: Sequence[Held]) -> Properties:
    """The state: as known where the catalog agrees, else what the first object that differs really has."""
    wanted = _wanted(session, known)
    found = {**known, "withGrantOption": wanted.grant_option}
    objects = known.get("objects") or []
    missing = queries.missing_objects(objects, held)
    if missing:
        found["objects"] = [name for name in objects if name not in missing]
    if known["objectType"] == "column":
        (privilege,) = known["privileges"]
        columns = held[0].columns.get(privilege, ()) if held else ()
        return {**found, "columns": in_order_of(known.get("columns") or [], columns)}
    for one in held:
        actual = one.privileges
        if wanted.role == privileges.PUBLIC and not wanted.privileges:
            actual |= frozenset(one.columns)
        if actual != wanted.privileges:
            return {**found, "privileges": sorted(actual)}
    if wanted.privileges and held and wanted.role != privileges.PUBLIC:
        passed_on = [one.grantable & wanted.privileges for one in held]
        if wanted.grant_option and any(names != wanted.privileges for names in passed_on):
            found["withGrantOption"] = False
        elif not wanted.grant_option and any(passed_on):
            found["withGrantOption"] = True
    return found


def _shown(inputs: Properties) -> str:
    """The grant in words: SELECT on tables "pipe.users" of database "pipe" to role "app"."""
    kind, role = str(inputs["objectType"]), str(inputs["role"])
    names = inputs.get("objects") or []
    if kind == "database":
        where = f'database "{inputs["database"]}"'
    elif kind == "schema":
        where = f'schema "{inputs["schema"]}"'
    elif names:
        listed = ", ".join(f'"{inputs["schema"]}.{name}"' for name in names[:3])
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        where = (f"columns of table {listed}" if kind == "column" else f"{kind} {listed}") + more
    else:
        where = f'all {kind}s in schema "{inputs["schema"]}"'
    what = privileges.spelled(inputs.get("privileges") or ()) or "nothing"
    return f"{what} on {where} to " + ("PUBLIC" if role == privileges.PUBLIC else f'role "{role}"')


def _id(inputs: Properties) -> str:
    parts = [str(inputs["role"]), str(inputs["database"])]
    if inputs["objectType"] != "database":
        parts.append(str(inputs.get("schema") or ""))
    parts.append(str(inputs["objectType"]))
    return "_".join([*parts, *hashed(inputs.get("objects") or ()), *hashed(inputs.get("columns") or ())])
