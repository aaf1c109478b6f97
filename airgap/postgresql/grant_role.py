"""GrantRole: one role's membership in another."""

from __future__ import annotations

from airgap.base import Context, Created, Diff, Failure, Found, Properties, ProviderError, Resource
from airgap.postgresql import plan, queries
from airgap.postgresql.connection import Server, Session
from airgap.postgresql.values import name_failures


class GrantRole(Resource):
    """`postgresql.GrantRole`: every change replaces it, and the old membership ends before the new one begins."""

    def check(self, context: Context, inputs: Properties, old_inputs: Properties) -> list[Failure]:
        return name_failures(inputs, "role", "grantRole")

    def diff(self, context: Context, id: str, state: Properties, old_inputs: Properties, inputs: Properties) -> Diff:
        return Diff(tuple(self.changes(state, old_inputs, inputs)), delete_before_replace=True)

    def create(self, context: Context, inputs: Properties) -> Created:
        server: Server = context.client
        member, role, admin = str(inputs["role"]), str(inputs["grantRole"]), bool(inputs.get("withAdminOption"))

        def work(session: Session) -> None:
            held = [one for one in queries.memberships(session, member) if one.role == role]
            statements = []
            if not held or any(one.admin for one in held) != admin:
                statements = [plan.leave(member, one, session.version >= 160000) for one in held]
                statements.append(plan.join(member, role, admin))
            session.execute(statements)

        server.change(None, f'grant role "{role}" to role "{member}"', work)
        return Created(_id(member, role, admin), {"withAdminOption": admin})

    def read(self, context: Context, id: str, state: Properties, inputs: Properties) -> Found | None:
        server: Server = context.client
        if not state:
            raise ProviderError(
                f'membership "{id}" cannot be imported: its id does not say where a name ends',
                "leave the import out: to create a GrantRole that is there already changes nothing",
            )
        member, role = str(state["role"]), str(state["grantRole"])
        doing = f'read the membership of role "{member}" in "{role}"'
        held = [one for one in server.read(None, doing, lambda s: queries.memberships(s, member)) if one.role == role]
        if not held:
            return None
        admin = any(one.admin for one in held)
        return Found({**state, "withAdminOption": admin}, id=_id(member, role, admin))

    def delete(self, context: Context, id: str, state: Properties) -> None:
        server: Server = context.client
        member, role = str(state["role"]), str(state["grantRole"])

        def work(session: Session) -> None:
            held = [one for one in queries.memberships(session, member) if one.role == role]
            session.execute([plan.leave(member, one, session.version >= 160000) for one in held])

        server.change(None, f'revoke role "{role}" from role "{member}"', work)


def _id(member: str, role: str, admin: bool) -> str:
    return f"{member}_{role}_{str(admin).lower()}"
