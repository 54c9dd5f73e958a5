"""Where addresses that people typed may lead. Judged when a connection is made, not only when a form is sent."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PRIVATE_NETWORKS: tuple[Network, ...] = tuple(
    ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)
"""Where most Milvus clusters live that somebody hosts for themselves."""

_METADATA = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Google Cloud, Azure, Oracle, OpenStack and others
        "169.254.170.2",  # containers of AWS
        "169.254.170.23",  # pods of AWS
        "fd00:ec2::254",  # AWS
        "fd00:ec2::23",  # pods of AWS
        "fd20:ce::254",  # Google Cloud
        "fd00:c1::a9fe:a9fe",  # Oracle
        "168.63.129.16",  # Azure's host, at a public address
        "100.100.100.200",  # Alibaba Cloud
        "192.0.0.192",  # Oracle, once
    )
)
"""Whoever reaches one of these may be given the machine's own credentials: it must be allowed by itself, not as one
of a network."""

_NAT64, _COMPATIBLE = IPv6Network("64:ff9b::/96"), IPv6Network("::/96")
_PUBLIC_IPV6 = IPv6Network("2000::/3")


class AddressRefused(Exception):
    """A name leads, with at least one of its addresses, to where it may not. The message is for the operator's log:
    to people, what a name of an internal network means is no news to give."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What the operator allows. A public address needs no permission; every other is in one of `networks`."""

    networks: tuple[Network, ...] = ()
    folders: tuple[Path, ...] = ()
    """Stores may be folders below these."""
    host_credentials: bool = False
    """Whether a store may use what this machine itself is trusted with: its environment, files and cloud identity."""

    def allows(self, address: Address) -> bool:
        inner = _carried(address)
        if inner is not None:
            return self.allows(inner)
        named = [network for network in self.networks if address in network]  # False where the versions differ
        if address in _METADATA:
            return any(network.num_addresses == 1 for network in named)
        return bool(named) or _is_public(address)

    def resolve(self, host: str, port: int) -> list[str]:
        """The addresses of `host`, to connect to instead of the name: asking twice could be answered differently.

        OSError if there are none. AddressRefused if any of them may not be reached: a name that means this and that is
        how a filter is got round.
        """
        if not host or "\0" in host:  # the resolver would take the one for this machine and read the other half-way
            raise OSError(f"{host!r} is no host name")
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (UnicodeError, ValueError) as error:  # no name could be like this
            raise OSError(f"{host!r} is no host name") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for text in addresses:
            if not self.allows(ip_address(text.partition("%")[0])):
                raise AddressRefused(f"{host} leads to {text}, which ALLOWED_NETWORKS does not name")
        return addresses

    def allows_folder(self, folder: Path) -> bool:
        """Whether `folder`, with every link followed, lies below an allowed one."""
        try:
            real = folder.resolve()
            return any(real != root and real.is_relative_to(root) for root in (path.resolve() for path in self.folders))
        except (OSError, RuntimeError, ValueError):  # a loop of links, or a name no file can have
            return False


def _carried(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for or carries its packets to."""
    if not isinstance(address, IPv6Address):
        return None
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour
    if address.teredo:
        return address.teredo[1]
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):  # :: and ::1 are addresses of their own
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _PUBLIC_IPV6:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)
