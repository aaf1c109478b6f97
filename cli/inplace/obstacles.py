"""What stands in the way of a restore in place, found before anything is stopped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cli.errors import UserError
from cli.inplace.cluster import numbered
from infra.naming import Names
from provider.errors import PipeError
from provider.restore.room import ALLOW, SPARE_MB, needed_mb


def refuse_missing(stack: str, members: Mapping[int, str], known: Iterable[str]) -> None:
    """Raise UserError unless the first member and all that the stack knows of are there.

    One that is away would keep its data, and the volume of another would be taken for it.

    :param members: the containers that the engine has, by number.
    :param known: the names of those that the stack's outputs have.
    """
    expected = {0: Names(stack).container("member", 0)} | numbered(stack, "member", known)
    missing = [name for number, name in sorted(expected.items()) if number not in members]
    if missing:
        listed = " and ".join(f'"{name}"' for name in missing)
        raise UserError(
            f'a restore in place needs every member of stack "{stack}", and there is no container {listed}',
            f"`make up STACK={stack}` makes what is missing; then run this again.",
        )


def refuse_full(stack: str, free: int, size: int, members: int) -> None:
    """Raise PipeError unless the engine's disk has room for a second copy of the data on each member, in MB.

    All volumes are on that disk, and each member keeps what it had beside the copy.
    """
    needed = needed_mb(size, members)
    if free < needed:
        each = f"for each of {members} members" if members > 1 else "for the member"
        raise PipeError(
            f'the disk of stack "{stack}" has {free} MB free, and a restore in place needs {needed} MB: a second copy '
            f"of {size} MB {each}, and {SPARE_MB} MB for WAL",
            f"free some space: `make restore-in-place STACK={stack} OLD=remove` removes what earlier ones left;",
            f"whoever knows better runs it again with {ALLOW}=1",
        )
