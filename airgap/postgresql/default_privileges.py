"""DefaultPrivileges: what a role may do with objects that another role makes in the future."""

from __future__ import annotations

from airgap.base import Context, Created, Diff, Failure, Found, Properties, ProviderError, Resource
from airgap.postgresql import checks, plan, privileges, queries
from airgap.postgresql.connection import Server, Session
from airgap.postgresql.errors import HINTS
from airgap.postgresql.plan import DefaultScope, Held, Wanted
from airgap.postgresql.values import in_order_of


class DefaultPrivileges(Resource):
    """`postgresql.DefaultPrivileges`: the privileges change in place, everything else replaces."""

    unordered = frozenset({"privileges"})

    def check(self, context: Context, inputs: Properties, old_inputs: Properties) -> list[Failure]:
        return checks.default_privileges(inputs)

    def diff(self, context: Context, id: str, state: Properties, old_inputs: Properties, inputs: Properties) -> Diff:
        return Diff(tuple(self.changes(state, old_inputs, inputs)), delete_before_replace=True)

    def create(self, context: Context, inputs: Properties) -> Created:
        if inputs["role"] == privileges.PUBLIC and inputs.get("schema") and not inputs["privileges"]:
            context.warning(
                f'nothing is revoked: default privileges in schema "{inputs["schema"]}" only add to those that hold in '
                "every schema\nHINT: leave schema out to take away what PUBLIC has by default"
            )
        return Created(_id(inputs), _apply(context.client, inputs))

    def read(self, context: Context, id: str, state: Properties, inputs: Properties) -> Found | None:
        server: Server = context.client
        if not state:
            raise ProviderError(
                f'default privileges "{id}" cannot be imported: their id does not say where a name ends',
                "leave the import out: to create DefaultPrivileges that hold already changes nothing",
            )

        def work(session: Session) -> Properties | None:
            held = _look(session, state)
            # As officially: where something was wanted and nothing is left, the resource is gone.
            if held is None or (state.get("privileges") and not held.privileges):
                return None
            return _state(session, state, held)

        found = server.read_if_there(str(state["database"]), f"read {_shown(state)}", work)
        return Found(found, id=_id(found)) if found is not None else None

    def update(
        self, context: Context, id: str, state: Properties, old_inputs: Properties, inputs: Properties
    ) -> Properties:
        return _apply(context.client, inputs)

    def delete(self, context: Context, id: str, state: Properties) -> None:
        server: Server = context.client

        def work(session: Session) -> None:
            held = _look(session, state)
            if held is not None:
                nothing = Wanted(str(state["objectType"]), str(state["role"]), frozenset())
                session.execute(plan.default_privileges(_scope(state), held, nothing))

        server.change_if_there(str(state["database"]), f"revoke {_shown(state)}", work)


def _apply(server: Server, inputs: Properties) -> Properties:
    """Brings the default privileges to what is wanted, and returns the state."""

    def work(session: Session) -> Properties:
        held = _look(session, inputs)
        if held is None:
            raise _missing(session, inputs)
        session.execute(plan.default_privileges(_scope(inputs), held, _wanted(session, inputs)))
        return _state(session, inputs, _look(session, inputs) or held)

    return server.change(str(inputs["database"]), f"set {_shown(inputs)}", work)


def _look(session: Session, inputs: Properties) -> Held | None:
    """The default privileges as they are; None when role, owner or schema is missing."""
    grantee, owner = queries.role_id(session, str(inputs["role"])), queries.role_id(session, str(inputs["owner"]))
    schema = queries.schema_id(session, inputs["schema"]) if inputs.get("schema") else None
    if grantee is None or owner is None or (inputs.get("schema") and schema is None):
        return None
    return queries.default_privileges(session, str(inputs["objectType"]), owner, schema, grantee)


def _missing(session: Session, inputs: Properties) -> ProviderError:
    for role in (str(inputs["role"]), str(inputs["owner"])):
        if queries.role_id(session, role) is None:
            return ProviderError(f'could not set {_shown(inputs)}: role "{role}" does not exist', HINTS["42704"])
    schema = inputs["schema"]
    return ProviderError(f'could not set {_shown(inputs)}: schema "{schema}" does not exist', HINTS["3F000"])


def _scope(inputs: Properties) -> DefaultScope:
    return DefaultScope(str(inputs["owner"]), inputs.get("schema") or None)


def _wanted(session: Session, inputs: Properties) -> Wanted:
    kind = str(inputs["objectType"])
    names = privileges.expand(kind, inputs.get("privileges") or (), session.version)
    return Wanted(kind, str(inputs["role"]), names, bool(inputs.get("withGrantOption")))


def _state(session: Session, known: Properties, held: Held) -> Properties:
    """The state: as known where the catalog agrees, else what is really there."""
    wanted = _wanted(session, known)
    found = {**known, "withGrantOption": wanted.grant_option}
    if held.privileges != wanted.privileges:
        return {**found, "privileges": in_order_of(known.get("privileges") or [], held.privileges)}
    if wanted.privileges and wanted.role != privileges.PUBLIC:
        found["withGrantOption"] = wanted.privileges <= held.grantable if wanted.grant_option else bool(held.grantable)
    return found


def _shown(inputs: Properties) -> str:
    """The default privileges in words."""
    what = privileges.spelled(inputs.get("privileges") or ()) or "nothing"
    place = f' in schema "{inputs["schema"]}"' if inputs.get("schema") else ""
    role = "PUBLIC" if inputs["role"] == privileges.PUBLIC else f'role "{inputs["role"]}"'
    return f'{what} on future {inputs["objectType"]}s of role "{inputs["owner"]}"{place} to {role}'


def _id(inputs: Properties) -> str:
    schema = inputs.get("schema") or "noschema"
    return "_".join([inputs["role"], inputs["database"], schema, inputs["owner"], inputs["objectType"]])
