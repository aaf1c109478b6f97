"""Names that other programs and other stacks rely on."""

from __future__ import annotations

import pytest

from infra.naming import Names, Ports
from infra.settings import load

NAMES = Names("dev", 15400)


def test_names_carry_the_stack() -> None:
    assert NAMES.network == "pipe-dev"
    assert NAMES.container("repository") == "pipe-dev-repository"
    assert NAMES.container("member", 0) == "pipe-dev-member-0"
    assert NAMES.carrier("member", 0) == "pipe-dev-member-0-config"
    assert NAMES.volume("member", 0) == "pipe-dev-member-0-data"
    assert NAMES.volume("repository", purpose="config") == "pipe-dev-repository-config"
    assert NAMES.ca_file == ".pipe/dev/ca.pem"
    assert NAMES.scope == NAMES.stanza == "dev"


def test_inside_the_network_names_need_no_stack() -> None:
    assert NAMES.host("etcd", 2) == "etcd-2"
    assert NAMES.host("repository") == "repository"


def test_labels_say_whose_it_is() -> None:
    assert NAMES.labels("member") == {"pipe.stack": "dev", "pipe.component": "member"}


def test_ports_are_those_of_the_base() -> None:
    assert (NAMES.ports.read_write(), NAMES.ports.read_only()) == (15400, 15401)
    assert [NAMES.ports.rest(index) for index in range(6)] == [15408, 15409, 15410, 15411, 15412, 15413]
    assert set(NAMES.ports.all) == set(range(15400, 15416))
    assert Names.of(load("dev", {"environment": "dev", "network": {"port_base": 15400}})) == NAMES


def test_a_member_beyond_the_last_has_no_port() -> None:
    with pytest.raises(ValueError, match="member 6 has no port: members are numbered from 0 to 5"):
        Ports(15400).rest(6)


def test_ports_need_a_base() -> None:
    with pytest.raises(ValueError, match='the names of stack "dev" were made without a port_base'):
        Names("dev").ports  # noqa: B018
