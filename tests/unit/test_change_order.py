"""The order in which a change reaches the members, and when their certificates end."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from infra.certificates import Ends, ends
from infra.cluster.cluster import change_order
from infra.cluster.parameters import certificate_parameters

HOSTS = ["member-0", "member-1", "member-2"]


@pytest.mark.parametrize(
    ("leader", "order"),
    [
        ("member-0", ["member-1", "member-2", "member-0"]),
        ("member-1", ["member-0", "member-2", "member-1"]),
        ("member-2", HOSTS),
        ("", HOSTS),
        ("member-3", HOSTS),
    ],
    ids=["the first leads", "another leads", "the last leads", "nobody answers", "one that goes leads"],
)
def test_replicas_come_first_and_who_leads_last(leader: str, order: list[str]) -> None:
    assert change_order(HOSTS, leader) == order


def test_the_first_certificate_to_end_says_when_to_renew() -> None:
    found = ends("2036-01-01T00:00:00Z", ["2029-02-26T12:00:00.123456789+01:00", "2029-03-01T00:00:00Z"], 90)
    first = datetime(2029, 2, 26, 11, tzinfo=UTC)
    assert found == Ends(datetime(2036, 1, 1, tzinfo=UTC), first, datetime(2028, 11, 28, 11, tzinfo=UTC))
    assert certificate_parameters(found.first, found.renewal, found.authority) == {
        "pipe.certificates_first_end": "2029-02-26T11:00:00+00:00",
        "pipe.certificates_renewal": "2028-11-28T11:00:00+00:00",
        "pipe.certificates_authority_end": "2036-01-01T00:00:00+00:00",
    }
