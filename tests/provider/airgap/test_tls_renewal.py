"""A certificate that is due is replaced by the next `up`, and a refresh shows that it is due."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest

from airgap.tls.validity import Moment, is_due
from tests.provider.airgap.harness import Live, Plugin
from tests.provider.airgap.tls_samples import LOCALLY_SIGNED, SELF_SIGNED, Samples


@pytest.fixture(scope="module")
def samples() -> Iterator[Samples]:
    plugin = Plugin("tls")
    yield Samples(plugin)
    plugin.stop()


@pytest.fixture
def signed(samples: Samples) -> Live:
    live = Live(samples.plugin, LOCALLY_SIGNED, "server")
    live.up({**samples.server_inputs, "earlyRenewalHours": 24})
    return live


def age(live: Live, hours: int) -> None:
    """Makes the state look as if it had been written so long ago, by Go."""
    for name in ("validityStartTime", "validityEndTime"):
        moment = datetime.fromisoformat(live.state[name]) - timedelta(hours=hours)
        live.state[name] = moment.strftime("%Y-%m-%dT%H:%M:%S.123456789") + moment.strftime("%z")[:3] + ":00"


def test_before_its_time_nothing_happens(samples: Samples, signed: Live) -> None:
    age(signed, 23)
    assert signed.refresh() == "same"
    assert signed.up({**samples.server_inputs, "earlyRenewalHours": 24}) == "same"


@pytest.mark.parametrize("refreshed", [False, True])
def test_within_the_early_hours_it_is_replaced(samples: Samples, signed: Live, refreshed: bool) -> None:
    inputs = {**samples.server_inputs, "earlyRenewalHours": 24}
    age(signed, 25)
    if refreshed:
        assert signed.refresh() == "changed"
        assert signed.state["readyForRenewal"] is True
    assert signed.diff(inputs).changes == {"readyForRenewal": "UPDATE_REPLACE"}
    before = signed.id
    assert signed.up(inputs) == "replace"
    assert signed.id != before
    assert signed.state["readyForRenewal"] is False
    assert signed.up(inputs) == "same"


def test_other_early_hours_are_no_new_certificate(samples: Samples, signed: Live) -> None:
    before = signed.id, signed.state["certPem"]
    inputs = {**samples.server_inputs, "earlyRenewalHours": 12}
    assert signed.diff(inputs).changes == {"earlyRenewalHours": "UPDATE"}
    assert signed.up(inputs) == "update"
    assert (signed.id, signed.state["certPem"]) == before
    assert signed.state["earlyRenewalHours"] == 12
    assert signed.up(inputs) == "same"


def test_more_early_hours_can_make_it_due(samples: Samples, signed: Live) -> None:
    assert signed.diff({**samples.server_inputs, "earlyRenewalHours": 48}).replaces == ["readyForRenewal"]


def test_less_early_hours_take_it_back(samples: Samples, signed: Live) -> None:
    age(signed, 25)
    signed.refresh()
    inputs = {**samples.server_inputs, "earlyRenewalHours": 1}
    assert signed.up(inputs) == "update"
    assert signed.state["readyForRenewal"] is False
    assert signed.up(inputs) == "same"


def test_one_without_validity_is_due_at_once(samples: Samples) -> None:
    live = Live(samples.plugin, SELF_SIGNED, "short")
    inputs = {**samples.ca_inputs, "validityPeriodHours": 0}
    live.up(inputs)
    assert live.state["readyForRenewal"] is True
    assert live.up(inputs) == "replace"


@pytest.mark.parametrize(
    ("nanoseconds", "offset", "text"),
    [
        (0, 0, "2026-05-01T12:00:00Z"),
        (120_000_000, 0, "2026-05-01T12:00:00.12Z"),
        (123_456_789, 9, "2026-05-01T12:00:00.123456789+09:00"),
        (1, -3, "2026-05-01T12:00:00.000000001-03:00"),
    ],
)
def test_times_are_written_as_go_does(nanoseconds: int, offset: int, text: str) -> None:
    zone = timezone(timedelta(hours=offset))
    assert str(Moment(datetime(2026, 5, 1, 12, tzinfo=zone), nanoseconds)) == text
    assert is_due({"validityEndTime": "2020-01-01T00:00:00.123456789Z"}, 0)
    assert not is_due({}, 0)
