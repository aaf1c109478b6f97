"""``pipe:catalog:Picture`` and ``:Baseline`` against a real PostgreSQL, as the engine calls them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.provider.airgap.harness import Failed, Live
from tests.provider.pipe.conftest import PASSWORD, Database
from tests.provider.pipe.driver import PipePlugin

pytestmark = pytest.mark.integration
BY_HAND = "ALTER TABLE pipe.users ADD COLUMN by_hand text"
COLUMN = "table pipe.users column by_hand"


def triggers(*texts: str) -> dict[str, Any]:
    return {"owner": "pipe_owner", "triggers": list(texts)}


@pytest.fixture
def baseline(plugin: PipePlugin) -> Live:
    return plugin.live("catalog:Baseline", "before")


@pytest.fixture
def picture(plugin: PipePlugin, database: Database, baseline: Live) -> Live:
    """The picture after the first `up`, which made one table."""
    made = plugin.live("catalog:Picture")
    baseline.up(triggers("1"))
    database.rows("CREATE TABLE pipe.users (id int); ALTER TABLE pipe.users OWNER TO pipe_owner")
    made.up(triggers("1"))
    return made


def warnings(plugin: PipePlugin) -> str:
    found = "\n".join(message for message in plugin.messages if "by hand" in message or "not compared" in message)
    plugin.engine.lines.clear()
    return found


def test_nothing_changes_and_nothing_is_said_while_the_catalog_stays(plugin: PipePlugin, picture: Live) -> None:
    assert picture.state["expected"]["table pipe.users column id"] == "integer"
    assert picture.up(triggers("1")) == "same"
    assert picture.refresh() == "same"
    assert picture.diff(triggers("1")).changes == {}
    assert plugin.messages == []


def test_a_refresh_shows_drift_and_the_next_up_keeps_what_is_expected(
    plugin: PipePlugin, database: Database, picture: Live
) -> None:
    expected = picture.state["expected"]
    database.rows(BY_HAND)

    assert picture.refresh() == "changed"
    assert picture.state["drift"] == {COLUMN: "added: text"}
    assert picture.diff(triggers("1")).changes == {"drift": "UPDATE"}
    assert picture.up(triggers("1")) == "update"
    assert picture.state["expected"] == expected
    assert picture.state["drift"] == {}
    assert f"{COLUMN}: added: text" in warnings(plugin)

    database.rows("ALTER TABLE pipe.users DROP COLUMN by_hand")
    assert picture.up(triggers("1")) == "same"
    assert picture.refresh() == "same"
    assert warnings(plugin) == ""


def test_preview_and_up_without_a_refresh_warn_by_name(plugin: PipePlugin, database: Database, picture: Live) -> None:
    database.rows(BY_HAND)
    assert picture.up(triggers("1")) == "same"
    assert plugin.messages == [
        "1 object of the catalog changed by hand, not by the program:\n"
        f"  {COLUMN}: added: text\n"
        "HINT: undo it by hand, or write it into a migration; up does neither\n"
        f"HINT: to expect it from now on: bin/pulumi up --replace '{picture.urn}'"
    ]


def test_what_a_migration_changes_is_expected_and_what_it_left_alone_stays_drift(
    plugin: PipePlugin, database: Database, baseline: Live, picture: Live
) -> None:
    database.rows(BY_HAND)
    picture.preview(triggers("2"))
    assert COLUMN in warnings(plugin), "the preview of a migration hides nothing"

    assert baseline.up(triggers("2")) == "update"
    database.rows("ALTER TABLE pipe.users ADD COLUMN email text")
    assert picture.diff(triggers("2")).changes == {"triggers": "UPDATE"}
    assert warnings(plugin) == "", "what the migration has just made is not named"
    assert picture.up(triggers("2")) == "update"

    found = warnings(plugin)
    assert COLUMN in found
    assert "email" not in found
    assert picture.state["expected"]["table pipe.users column email"] == "text"
    assert COLUMN not in picture.state["expected"]
    assert database.rows("SELECT count(*) FROM migrations.catalog_before") == [(0,)]


def test_an_up_that_failed_half_way_loses_nothing(
    plugin: PipePlugin, database: Database, baseline: Live, picture: Live
) -> None:
    baseline.up(triggers("2"))
    database.rows("ALTER TABLE pipe.users ADD COLUMN first text")
    # The next migration failed; corrected, it is run again, with what comes before it.
    baseline.up(triggers("3"))
    database.rows("ALTER TABLE pipe.users ADD COLUMN second text")
    picture.up(triggers("3"))

    assert {"table pipe.users column first", "table pipe.users column second"} <= picture.state["expected"].keys()
    assert warnings(plugin) == ""


def test_an_up_that_was_given_up_does_not_hide_what_came_after_it(
    plugin: PipePlugin, database: Database, baseline: Live, picture: Live
) -> None:
    baseline.up(triggers("2"))
    database.rows("ALTER TABLE pipe.users ADD COLUMN first text")
    picture.refresh()
    assert picture.state["drift"].keys() == {"an up that did not finish", "table pipe.users column first"}
    # The program is as it was again.
    baseline.up(triggers("1"))
    assert picture.up(triggers("1")) == "update"
    assert picture.up(triggers("1")) == "same"

    database.rows(BY_HAND)
    baseline.up(triggers("3"))
    picture.up(triggers("3"))
    assert not picture.state["expected"].keys() & {COLUMN, "table pipe.users column first"}
    assert COLUMN in warnings(plugin)


def test_the_baseline_does_not_need_the_password_that_the_up_is_to_set(
    plugin: PipePlugin, database: Database, baseline: Live, picture: Live
) -> None:
    plugin.configure(database.config | {"password": "of tomorrow"})
    with pytest.raises(Failed, match="password authentication failed"):
        baseline.up(triggers("2"))
    baseline.up(triggers("2") | {"username": "postgres", "password": PASSWORD})
    assert database.rows("SELECT count(*) FROM migrations.catalog_before") == [(1,)]


def test_what_a_migration_does_to_a_drifted_object_is_expected(
    plugin: PipePlugin, database: Database, baseline: Live, picture: Live
) -> None:
    database.rows("ALTER TABLE pipe.users ALTER COLUMN id TYPE bigint")
    baseline.up(triggers("2"))
    database.rows("ALTER TABLE pipe.users ALTER COLUMN id TYPE numeric")
    picture.up(triggers("2"))
    assert picture.state["expected"]["table pipe.users column id"] == "numeric"
    assert warnings(plugin) == ""


def test_replacing_the_resource_accepts_what_is_there(plugin: PipePlugin, database: Database, picture: Live) -> None:
    database.rows(BY_HAND)
    picture.destroy()
    picture.up(triggers("1"))
    assert picture.state["expected"][COLUMN] == "text"
    assert picture.refresh() == "same"
    assert warnings(plugin) == ""


def test_a_database_that_does_not_answer_is_not_compared(plugin: PipePlugin, database: Database, picture: Live) -> None:
    plugin.configure(database.config | {"port": "1"})
    assert picture.up(triggers("1")) == "same"
    assert warnings(plugin).startswith("the catalog is not compared with what is expected: ")
    assert picture.refresh() == "same"
