"""``pipe:catalog:Picture``: what the catalog is expected to be, and what somebody changed in it by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from provider.catalog.lines import Picture as Lines
from provider.catalog.lines import drift, merge
from provider.errors import Cancelled, PipeError
from provider.resource import Context, Field, Resource, State
from provider.values import Properties

if TYPE_CHECKING:
    from provider.sql.connection import Connection

ID = "picture"
_DOING = "looking at the catalog"
_UNFINISHED = {"an up that did not finish": "what it changed is not expected yet; run up again"}
# The rest is counted; make drift shows all of it.
_SHOWN = 30


class Picture(Resource):
    """What is expected is taken when the resource is made, and moves on only by what the program itself changes."""

    token = "pipe:catalog:Picture"
    description = "The picture of the catalog that is expected, a line an object, and how the live one differs."
    inputs: ClassVar[dict[str, Field]] = {
        "owner": Field(str, "The role that owns schema migrations."),
        "triggers": Field(list, "Digests of everything that the program makes in the catalog."),
    }
    outputs: ClassVar[dict[str, tuple[type, str]]] = {
        "expected": (dict, "Definition of each object, by its name."),
        "drift": (dict, "What a refresh found to differ, by the object's name; empty otherwise."),
    }

    def compare(self, context: Context, old: Properties, new: Properties) -> dict[str, bool]:
        """Compare inputs; warn of drift, which is no change that an `up` could make.

        Before an update there is nothing to say yet: what it finds may be what the migrations have just made.
        """
        changed = self.diff(old, new)
        unfinished = not changed and _warn_of_live_drift(context, old)
        if old.get("drift") or unfinished:
            changed["drift"] = False
        return changed

    def preview(self, context: Context, old: Properties | None, new: Properties) -> Properties:
        """Warn of drift as it is before the changes."""
        if old is not None and self.diff(old, new):
            _warn_of_live_drift(context, old)
        return super().preview(context, old, new)

    def create(self, context: Context, new: Properties) -> tuple[str, Properties]:
        """Expect what is there."""
        from provider.catalog import before

        with context.database.session(_DOING) as connection, connection.transaction():
            _act_as_owner(connection, new)
            before.ensure(connection)
            lines = _look(connection).lines
            _act_as_owner(connection, new)
            before.forget(connection)
        return ID, new | {"expected": dict(lines), "drift": {}}

    def read(self, context: Context, id_: str, state: Properties, inputs: Properties) -> State | None:
        """Report what differs; what is expected stays. There is nothing to import: a picture is taken."""
        if not state:
            return None
        live, unfinished = _live(context, state)
        found = drift(state["expected"], live) | (_UNFINISHED if unfinished else {})
        return State(ID, state | {"drift": found}, inputs)

    def update(self, context: Context, id_: str, old: Properties, new: Properties) -> Properties:
        """Expect what the program has changed; what it left alone stays as it was expected.

        Without a change of the program an `up` that did not finish was given up: what it had changed is drift.
        """
        from provider.catalog import before

        expected: dict[str, str] = old["expected"]
        with context.database.session(_DOING) as connection, connection.transaction():
            _act_as_owner(connection, new)
            before.ensure(connection)
            kept, live = before.find(connection), _look(connection)
            if kept is not None and old["triggers"] != new["triggers"]:
                expected = merge(expected, kept, live)
            _act_as_owner(connection, new)
            before.forget(connection)
        if found := drift(expected, live):
            _warn(context, found)
        return new | {"expected": expected, "drift": {}}


def _act_as_owner(connection: Connection, new: Properties) -> None:
    from provider.sql.history import act_as

    act_as(connection, new["owner"])


def _look(connection: Connection) -> Lines:
    from provider.catalog.look import look

    return look(connection)


def _live(context: Context, properties: Properties) -> tuple[Lines, bool]:
    """Return the picture of now, and whether an `up` that was to change it did not finish."""
    from provider.catalog import before

    with context.database.session(_DOING) as connection, connection.transaction():
        _act_as_owner(connection, properties)
        unfinished = before.is_kept(connection)
        return _look(connection), unfinished


def _warn_of_live_drift(context: Context, old: Properties) -> bool:
    """Warn; return whether an `up` did not finish.

    A database that cannot be asked now is no reason to stop; in a preview the login itself may not be known yet.
    """
    if not context.config.has_server:
        return False
    try:
        live, unfinished = _live(context, old)
    except Cancelled:
        raise
    except PipeError as error:
        context.warning(f"the catalog is not compared with what is expected: {error}")
        return False
    if found := drift(old["expected"], live):
        _warn(context, found)
    return unfinished


def _warn(context: Context, found: Mapping[str, str]) -> None:
    shown = [f"  {line}: {text}" for line, text in list(found.items())[:_SHOWN]]
    if len(found) > _SHOWN:
        shown.append(f"  and {len(found) - _SHOWN} more, which make drift shows")
    objects = "1 object" if len(found) == 1 else f"{len(found)} objects"
    context.warning(
        "\n".join(
            [
                f"{objects} of the catalog changed by hand, not by the program:",
                *shown,
                "HINT: undo it by hand, or write it into a migration; up does neither",
                f"HINT: to expect it from now on: bin/pulumi up --replace '{context.urn}'",
            ]
        )
    )
