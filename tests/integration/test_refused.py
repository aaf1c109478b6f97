"""What is refused before anything changes, in one clear text and without a trace of Python."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
import yaml

from cli import state
from cli.session import Session
from tests import timeouts
from tests.asserts.traces import traces
from tests.fixtures.stacks import ROOT, Stack, throw_away_stack

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("refused")]


def write(stack: Stack, config: dict[str, object]) -> None:
    stack.file.write_text(yaml.safe_dump({"config": {f"pipe:{key}": value for key, value in config.items()}}))


def test_every_wrong_key_is_named_at_once_and_nothing_is_made() -> None:
    with throw_away_stack("wrong") as stack:
        write(
            stack,
            {
                "environment": "test",
                "network": {"port_base": 80},
                "database": {"replicas": 9, "memory": 512},
                "failover": {"ttl": 20, "loop_wait": 10, "retry_timeout": 10},
                "backup": {"full_schedule": "midnight", "time_zone": "Mars/Olympus"},
                "bakcup": {},
            },
        )
        done = stack.run("make", "up", f"STACK={stack.name}")
        text = done.stdout + done.stderr
        assert done.returncode != 0
        for key in (
            "network.port_base",
            "database.replicas",
            "database.memory",
            "failover.ttl",
            "backup.full_schedule",
            "backup.time_zone",
            "bakcup",
        ):
            assert f"pipe:{key}" in text, text
        assert "Traceback" not in text
        assert traces(stack.name) == []
        assert state.read(Session.current(stack.name)) is None


def test_prod_refuses_the_local_state_unless_told_so() -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PULUMI_", "PIPE_"))}
    done = subprocess.run(
        ["make", "preview", "STACK=prod"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeouts.COMMAND,
        check=False,
    )
    assert done.returncode != 0
    assert "PULUMI_BACKEND_URL" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_what_holds_data_is_protected() -> None:
    with throw_away_stack("kept") as stack:
        stack.run("make", "up", f"STACK={stack.name}", "LIKE=test", timeout=timeouts.UP)
        document = yaml.safe_load(stack.file.read_text())
        document["config"]["pipe:protect"] = True
        stack.file.write_text(yaml.safe_dump(document))
        stack.up()
        containers = {c.id for c in stack.containers()}
        try:
            refused = stack.run("make", "destroy", f"STACK={stack.name}", timeout=timeouts.DESTROY)
            text = refused.stdout + refused.stderr
            assert refused.returncode != 0
            assert "protect" in text
            assert re.search(
                r"lost would be a database of \d+ .B with 0 organizations and 0 users, and 1 backup, ", text
            )
            assert re.search(r"the last \(full\) of \d{4}-\d\d-\d\d ", text)
            assert "; no backup that is kept has passed a restore drill\n" in text
            assert "Traceback" not in text
            itself = stack.run("bin/pulumi", "destroy", "--yes", timeout=timeouts.DESTROY)
            assert itself.returncode != 0
            lost = next(line for line in text.splitlines() if line.startswith("lost would be "))
            # The database may have grown meanwhile.
            size = r"\d+ .B"
            again = size.join(re.escape(part) for part in re.split(size, lost, maxsplit=1))
            assert re.search(re.escape(f'stack "{stack.name}" is protected; ') + again, itself.stderr)
            assert {c.id for c in stack.containers()} == containers, "nothing was half done"
        finally:
            document["config"]["pipe:protect"] = False
            stack.file.write_text(yaml.safe_dump(document))
            stack.up()
