"""A restore that would fill the engine's disk, on which other stacks lie too, is refused before a file is copied."""

from __future__ import annotations

import secrets

import docker
import pytest

from provider.errors import PipeError
from provider.restore.moments import Target
from provider.restore.place import HOME, place
from provider.restore.restore import restore
from tests import timeouts
from tests.recovery.restore.instances import context, site
from tests.recovery.restore.written import Written

pytestmark = [
    pytest.mark.integration,
    pytest.mark.xdist_group("restore"),
    pytest.mark.timeout(3 * timeouts.UP + timeouts.RESTORE),
]
# A disk of its own, which ends long before the engine's.
SMALL = {"type": "tmpfs", "device": "tmpfs", "o": "size=64m,uid=999,gid=999"}


def test_a_disk_without_room_for_every_copy_is_refused_and_stays_empty(written: Written) -> None:
    stack, engine = written.stack, docker.from_env()
    name = f"pipe-{stack.name}-{secrets.token_hex(3)}"
    volume = engine.volumes.create(f"{name}-data", driver_opts=SMALL, labels={"pipe.stack": stack.name})
    try:
        with pytest.raises(PipeError) as caught:
            restore(context(), site(stack, name, volume.name), written.source, Target(), 3, pause=False)
        assert str(caught.value).startswith("the disk of Docker's engine has 64 MB free, and what is restored of ")
        assert " MB for each of 3 members, and 1024 MB for WAL\n" in str(caught.value)
        with place(context(), site(stack, name, volume.name)) as there:
            assert there.must("listing the volume", "ls", HOME) == ""
    finally:
        volume.remove()
        engine.close()
