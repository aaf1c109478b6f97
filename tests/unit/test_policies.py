"""What the settings say to the database: one text each, in an order that keeps to the files that they call."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from infra.policies import Rendered, rendered
from infra.settings import load

REPEATABLES = Path(__file__).resolve().parents[2] / "sql" / "repeatable"


def texts(**data: Any) -> dict[str, Rendered]:
    settings = load("dev", {"environment": "dev", "network": {"port_base": 15400}, "data": data})
    return {text.name: text for text in rendered(settings)}


def test_numbers_are_in_order_and_nobody_elses() -> None:
    versions = [text.version for text in texts().values()]
    files = {path.name.partition("_")[0] for path in REPEATABLES.glob("*.sql")}
    assert versions == sorted(set(versions))
    assert all(re.fullmatch(r"[0-9]{3}", version) for version in versions)
    assert files.isdisjoint(versions)


def test_the_policy_of_months_comes_before_what_asks_it() -> None:
    text = texts(months_ahead=9, runs_keep_months=4, audit_export_after_months=84)["partition_policy"]
    assert text.version < "030"
    assert "('pipeline_runs'::name, 9, 4, null::integer),\n    ('audit_logs'::name, 9, 3, 84);" in text.text


def test_another_number_of_months_ahead_has_them_made_at_once() -> None:
    assert texts(months_ahead=9)["months_ahead"].text != texts(months_ahead=10)["months_ahead"].text


@pytest.mark.parametrize("on", [True, False])
def test_tenant_isolation_is_turned_on_or_off_after_the_function_that_does_it(on: bool) -> None:
    text = texts(tenant_isolation=on)["tenant_isolation"]
    assert text.text == f"SELECT pipe.apply_tenant_isolation({str(on).lower()});\n"
    assert text.version > "070"


def test_the_policy_of_upkeep_follows_the_settings() -> None:
    given = {"environment": "dev", "network": {"port_base": 15400}}
    more = {"data": {"reindex_bloat_percent": 70, "audit_seal_minutes": 3}, "database": {"slow_statement_ms": 250}}
    more["backup"] = {"wal_bound_mb": 100}
    settings = load("dev", {**given, **more})
    text = next(text for text in rendered(settings) if text.name == "upkeep_policy")
    assert "VALUES (70, 250, 3, 100);" in text.text
    assert text.version < "080"
