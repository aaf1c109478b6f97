"""A changed parameter: reloaded where it can be; reported as pending, or restarted one by one, where it can't."""

from __future__ import annotations

import pytest

from tests import timeouts
from tests.asserts.eventually import eventually
from tests.asserts.replication import assert_replicated, leader
from tests.fixtures.stacks import Stack

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("dynamic_config")]


def setting(stack: Stack, name: str) -> list[list[str]]:
    """Return the parameter on both members."""
    return [stack.sql(f"SHOW {name}", member) for member in ("member-0", "member-1")]


def test_parameters_change_without_replacing_a_container(own_stack: Stack) -> None:
    containers = {c.id for c in own_stack.containers()}
    own_stack.configure("database", parameters={"work_mem": "5MB"}, max_connections=70)
    text = own_stack.up()
    assert {c.id for c in own_stack.containers()} == containers
    eventually(
        lambda: setting(own_stack, "work_mem"), lambda seen: seen == [["5MB"], ["5MB"]], timeouts.RELOAD, "work_mem"
    )
    assert setting(own_stack, "max_connections") == [["60"], ["60"]]
    assert "max_connections" in text, "a restart that is pending is reported"

    before = leader(own_stack)
    own_stack.configure("database", restart="rolling")
    assert f'member "{before}" leads and hands over before it restarts' in own_stack.up()
    assert setting(own_stack, "max_connections") == [["70"], ["70"]]
    assert_replicated(own_stack, replicas=1)
    assert leader(own_stack) != before
    assert {c.id for c in own_stack.containers()} == containers


def test_a_setting_changed_by_hand_shows_as_drift_and_is_mended(own_stack: Stack) -> None:
    status, text = own_stack.execute(
        leader(own_stack), "patronictl", "-c", "/etc/pipe/patroni.yml", "edit-config", "--force", "-s", "loop_wait=7"
    )
    assert status == 0, text
    assert own_stack.run("make", "drift", timeout=timeouts.UP).returncode != 0
    own_stack.pulumi("up", "--yes", "--refresh", timeout=timeouts.UP)
    _, config = own_stack.execute(leader(own_stack), "patronictl", "-c", "/etc/pipe/patroni.yml", "show-config")
    assert "loop_wait: 5" in config
