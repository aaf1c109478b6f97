"""Whether the disk has room for what a restore makes."""

from __future__ import annotations

from typing import cast

import pytest

from provider.errors import PipeError
from provider.pgbackrest.run import Result
from provider.restore import room
from provider.restore.place import Place


class Disk:
    """A volume with so many MB free, and so many in what an interrupted run left."""

    def __init__(self, free: int, *left: int) -> None:
        self.free, self.left = free, left

    def must(self, _: str, *words: str) -> str:
        assert words[0] == "df"
        return f"Avail\n{self.free}\n"

    def run(self, *_: str) -> Result:
        return Result(0, "".join(f"{size}\t/some/folder\n" for size in self.left), "")


def require(disk: Disk, members: int) -> None:
    room.require(cast("Place", disk), "prod", 2000, members)


def test_each_member_has_a_copy() -> None:
    require(Disk(5024), 2)
    with pytest.raises(PipeError) as caught:
        require(Disk(5023), 2)
    assert str(caught.value) == (
        'the disk of Docker\'s engine has 5023 MB free, and what is restored of "prod" needs 5024 MB: 2000 MB for '
        "each of 2 members, and 1024 MB for WAL\n"
        "HINT: free some space, or begin with fewer pipe:database.replicas; whoever knows better sets "
        "PIPE_IGNORE_FREE_SPACE=1"
    )
    with pytest.raises(PipeError, match=r"needs 3024 MB: 2000 MB, and 1024 MB for WAL"):
        require(Disk(0), 1)


def test_what_an_interrupted_run_left_counts_as_room() -> None:
    assert room.free_mb(cast("Place", Disk(1000, 300, 40))) == 1340
    require(Disk(3024, 2000), 2)


def test_whoever_knows_better_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPE_IGNORE_FREE_SPACE", "1")
    require(Disk(0), 2)
