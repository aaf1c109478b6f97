"""Every physical name of a stack: containers, volumes, the network, DNS names, labels and ports. Pure.

Two stacks on one Docker engine never share a name, and whatever a stack makes carries its labels.
"""

from __future__ import annotations

from dataclasses import dataclass

from infra.settings.cluster import MOST_PROXIES, MOST_REPLICAS, PORTS_OF_A_STACK
from infra.settings.model import Settings

STACK_LABEL = "pipe.stack"
COMPONENT_LABEL = "pipe.component"
CONFIG_LABEL = "pipe.config"

_READ_ONLY_OFFSET = 1
_PORTS_OF_A_PROXY = 2
_REST_OFFSET = 8  # 4 to 7 are kept for endpoints to come.


@dataclass(frozen=True)
class Ports:
    """The ports of a stack on the host."""

    base: int

    def read_write(self, proxy: int = 0) -> int:
        """Leads through a proxy to the primary."""
        return self._proxy(proxy)

    def read_only(self, proxy: int = 0) -> int:
        """Leads through a proxy to a replica."""
        return self._proxy(proxy) + _READ_ONLY_OFFSET

    def rest(self, index: int) -> int:
        """Patroni's REST API of a member."""
        if not 0 <= index <= MOST_REPLICAS:
            raise ValueError(f"member {index} has no port: members are numbered from 0 to {MOST_REPLICAS}")
        return self.base + _REST_OFFSET + index

    def _proxy(self, index: int) -> int:
        if not 0 <= index < MOST_PROXIES:
            raise ValueError(f"proxy {index} has no ports: proxies are numbered from 0 to {MOST_PROXIES - 1}")
        return self.base + index * _PORTS_OF_A_PROXY

    @property
    def all(self) -> range:
        """Every port that is set aside for the stack."""
        return range(self.base, self.base + PORTS_OF_A_STACK)


@dataclass(frozen=True)
class Names:
    """The names of a stack. Ports need `port_base`; everything else the stack's name only."""

    stack: str
    port_base: int | None = None

    @classmethod
    def of(cls, settings: Settings) -> Names:
        """The names for these settings."""
        return cls(settings.stack, settings.network.port_base)

    @property
    def ports(self) -> Ports:
        """The stack's ports on the host."""
        if self.port_base is None:
            raise ValueError(f'the names of stack "{self.stack}" were made without a port_base')
        return Ports(self.port_base)

    @property
    def scope(self) -> str:
        """Patroni's name of the cluster."""
        return self.stack

    @property
    def stanza(self) -> str:
        """pgBackRest's name of the cluster."""
        return self.stack

    @property
    def network(self) -> str:
        """The Docker network."""
        return f"pipe-{self.stack}"

    @property
    def ca_file(self) -> str:
        """Where the certificate of the stack's authority is put, from the checkout's root."""
        return f".pipe/{self.stack}/ca.pem"

    def host(self, component: str, index: int | None = None) -> str:
        """The DNS name inside the network: member-0, repository."""
        return component if index is None else f"{component}-{index}"

    def container(self, component: str, index: int | None = None) -> str:
        """The container: pipe-dev-member-0, pipe-dev-repository."""
        return f"{self.network}-{self.host(component, index)}"

    def carrier(self, component: str, index: int | None = None) -> str:
        """The container that is never started and only puts files on a component's config volume."""
        return f"{self.container(component, index)}-config"

    def volume(self, component: str, index: int | None = None, purpose: str = "data") -> str:
        """A volume: pipe-dev-member-0-data."""
        return f"{self.container(component, index)}-{purpose}"

    def labels(self, component: str) -> dict[str, str]:
        """The labels of whatever belongs to a component, always in the same order."""
        return {STACK_LABEL: self.stack, COMPONENT_LABEL: component}
