"""The provider as a process: it starts quickly, stops quietly, ends with its engine and can be cancelled."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from provider.provider import RESOURCES
from tests import timeouts
from tests.asserts.eventually import eventually
from tests.provider.airgap.harness import CHECKOUT, Failed, Refused
from tests.provider.pipe.conftest import Database
from tests.provider.pipe.driver import PipePlugin
from tests.provider.pipe.migrations import file, inputs, until

SLEEPING = "FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND state = 'active' AND pid <> pg_backend_pid()"


def test_nothing_heavy_is_imported_at_the_start() -> None:
    script = "import sys, provider.__main__; print([m for m in ('psycopg', 'docker', 'requests') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_it_stops_without_a_word() -> None:
    plugin = PipePlugin()
    plugin.stop()
    assert plugin.process.returncode == 0


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_it_ends_when_its_engine_is_killed() -> None:
    script = f"exec 3>&1; {sys.executable} -m provider 127.0.0.1:1 & echo $! >&2; wait"
    engine = subprocess.Popen(
        ["sh", "-c", script], cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert engine.stderr
    assert engine.stdout
    pid = int(engine.stderr.readline())
    assert engine.stdout.readline().strip().isdigit()
    engine.send_signal(signal.SIGKILL)
    engine.wait()
    eventually(lambda: ended(pid), bool, timeouts.COMMAND, "the provider ends")
    engine.stdout.close()
    engine.stderr.close()


def ended(pid: int) -> bool:
    """Whether a process is gone, or only waits for somebody to ask how it ended."""
    try:
        return "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2]
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_without_an_engine_it_says_who_starts_it() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "provider"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stderr) == (
        2,
        "python -m provider is started by Pulumi, with the engine's address\nHINT: run: make up\n",
    )


def test_the_launcher_names_a_missing_environment(tmp_path: Path) -> None:
    launcher = tmp_path / "provider" / "pulumi-resource-pipe"
    launcher.parent.mkdir()
    launcher.write_bytes((CHECKOUT / "provider" / "pulumi-resource-pipe").read_bytes())
    launcher.chmod(0o755)
    found = subprocess.run([launcher], capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert found.stderr == (
        f'the provider "pipe" has no Python environment at "{tmp_path}/.venv"\nHINT: run: make setup\n'
    )


def test_the_schema_is_json_with_every_resource() -> None:
    plugin = PipePlugin()
    schema = json.loads(plugin.call("GetSchema", provider_pb2.GetSchemaRequest()).schema)
    plugin.stop()
    assert schema["name"] == "pipe"
    assert len(schema["resources"]) == len(RESOURCES)
    assert schema["resources"]["pipe:sql:Endpoint"]["inputProperties"]["password"]["secret"] is True
    assert schema["resources"]["pipe:sql:Migrations"]["inputProperties"]["files"]["items"]["type"] == "object"
    assert schema["config"]["variables"]["patroniClientKey"]["secret"] is True


def test_unknown_inputs_and_settings_are_refused_by_name() -> None:
    plugin = PipePlugin()
    with pytest.raises(Refused) as refused:
        plugin.live("patroni:Member").preview({"member": "a", "endpoint": "b", "timeout": 1})
    assert refused.value.failures["containerId"] == "is missing"
    assert refused.value.failures["timeout"].startswith("is not an input of pipe:patroni:Member")
    with pytest.raises(Refused, match="'hosst': 'is not a setting of the provider"):
        plugin.configure({"hosst": "x"})
    with pytest.raises(Failed, match='has no resource "pipe:sql:Nothing"\nHINT: there are: pipe:sql:Migrations'):
        plugin.live("sql:Nothing").preview({})
    plugin.stop()


def test_another_major_version_is_refused_where_there_is_data() -> None:
    plugin = PipePlugin()
    live = plugin.live("patroni:Membership")
    place = {"member": "member-0", "scope": "dev", "endpoints": ["https://127.0.0.1:1"], "version": 17}
    assert live.up(place) == "create"
    with pytest.raises(Refused) as refused:
        live.up(place | {"version": 18})
    plugin.stop()
    assert refused.value.failures == {
        "version": "cannot change from 17 to 18 on a stack that exists: PostgreSQL 18 cannot read its data"
        " HINT: go on with PostgreSQL 17 here; a new stack takes the data over, see docs/major-upgrade.md"
    }


def test_a_question_that_nobody_answers_is_refused_by_name() -> None:
    plugin = PipePlugin()
    with pytest.raises(Failed, match='has no function "pipe:patroni:nothing"\nHINT: there are: pipe:patroni:leader'):
        plugin.call("Invoke", provider_pb2.InvokeRequest(tok="pipe:patroni:nothing"))
    plugin.stop()


def test_where_nobody_can_be_asked_nobody_leads_and_the_cluster_may_be_there() -> None:
    plugin = PipePlugin()
    request = provider_pb2.InvokeRequest(tok="pipe:patroni:leader")
    request.args.update({"endpoints": ["https://127.0.0.1:1"]})
    assert dict(getattr(plugin.call("Invoke", request), "return")) == {"leader": "", "there": True}
    plugin.stop()


def test_a_missing_setting_is_named() -> None:
    plugin = PipePlugin({"host": "127.0.0.1"})
    with pytest.raises(Failed) as failed:
        plugin.live("sql:Migrations").up(inputs(file()))
    plugin.stop()
    assert str(failed.value) == (
        'the provider "pipe" has no "port", "database", "username", "password", "caCertificate"\n'
        "HINT: give PipeProvider(...) these arguments in the program"
    )


@pytest.mark.integration
def test_cancel_ends_a_running_migration_which_rolls_back(plugin: PipePlugin, database: Database) -> None:
    failures: list[Failed] = []

    def up() -> None:
        try:
            plugin.live("sql:Migrations").up(inputs(file("CREATE TABLE pipe.a (); SELECT pg_sleep(600)")))
        except Failed as error:
            failures.append(error)

    running = threading.Thread(target=up)
    running.start()
    until(database, f"SELECT 1 {SLEEPING}")
    plugin.call("Cancel", empty_pb2.Empty())
    running.join(timeouts.COMMAND)
    assert str(failures[0]) == (
        'cancelled while running "sql/migrations/0001_users.sql"\nHINT: run up again; it goes on from here'
    )
    assert database.rows("SELECT 1 FROM pg_tables WHERE schemaname = 'pipe'") == []


@pytest.mark.integration
def test_kill_9_in_a_migration_leaves_nothing_and_the_next_run_goes_on(database: Database) -> None:
    killed, after = PipePlugin(database.config), PipePlugin(database.config)
    live = killed.live("sql:Migrations")

    def up() -> None:
        with pytest.raises(Failed):
            live.up(inputs(file("CREATE TABLE pipe.a (); SELECT pg_sleep(600)")))

    running = threading.Thread(target=up)
    running.start()
    until(database, f"SELECT 1 {SLEEPING}")
    os.kill(killed.process.pid, signal.SIGKILL)
    running.join()
    killed.process.communicate()
    # The server notices that the client is gone when the statement ends.
    database.rows(f"SELECT pg_terminate_backend(pid) {SLEEPING}")
    assert after.live("sql:Migrations").up(inputs(file("CREATE TABLE pipe.a ()"))) == "create"
    assert database.rows("SELECT count(*) FROM migrations.history") == [(1,)]
    after.stop()
    killed.engine.server.stop(None)
