"""Where typed addresses may lead: every spelling of an address that must not be reached is the same refusal."""

from __future__ import annotations

import socket
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.reach import PRIVATE_NETWORKS, AddressRefused, Reach

NOTHING, PRIVATE = Reach(), Reach(networks=PRIVATE_NETWORKS)

# How the resolver is asked, by what it means. All of them without asking a name server.
SPELLINGS = {
    "127.0.0.1": (
        ["127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0x7F.0x0.0x0.0x1", "0177.0.0.1"]
        + [
            "017700000001",
            "0177.1",
            "127.0.0.0x1",
            "localhost",
            "LOCALHOST",
            "LocalHost",
            "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
            "ｌｏｃａｌｈｏｓｔ",
        ]
        + [
            "１２７.0.0.1",
            "127。0。0。1",
            "127．0．0．1",
            "127｡0｡0｡1",
            "①②⑦.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:7f00:1",
        ]
        + ["::127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2002:7f00:0001::1"]
        + ["2001:0:4136:e378:8000:63bf:80ff:fffe", "127.255.255.254"]
    ),
    "::1": ["::1", "0:0:0:0:0:0:0:1", "0000:0000:0000:0000:0000:0000:0000:0001", "::0001"],
    "unspecified": ["0.0.0.0", "0", "0x0", "00", "::", "::ffff:0.0.0.0", "0.0.0.7"],
    "link-local": ["169.254.1.1", "0xa9fe0101", "fe80::1", "fe80::1%lo", "::ffff:169.254.1.1", "fec0::1"],
    "metadata": (
        ["169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "169.254.170.2"]
        + ["::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::", "fd00:ec2::254"]
        + ["fd20:ce::254", "168.63.129.16", "100.100.100.200", "192.0.0.192"]
    ),
    "other": (
        ["224.0.0.1", "239.255.255.255", "ff02::1", "255.255.255.255", "240.0.0.1", "100.64.0.1", "198.18.0.1"]
        + ["192.0.2.1", "203.0.113.9", "2001:db8::1", "100::1", "64:ff9b:1::1", "5f00::1", "2001::1"]
    ),
}
PRIVATE_ADDRESSES = ["10.0.0.1", "0xa000001", "172.16.0.1", "172.31.255.255", "192.168.1.1", "3232235777", "fd12::1"]
PUBLIC = ["8.8.8.8", "1.1.1.1", "0x08080808", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "172.32.0.1"]


def answering(*addresses: str) -> Any:
    """A resolver that answers every question with these."""
    return lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 1)) for address in addresses]


@pytest.mark.parametrize(
    "spelling", [pytest.param(text, id=f"{kind} as {text}") for kind, texts in SPELLINGS.items() for text in texts]
)
def test_an_address_that_nobody_may_reach_is_refused_however_it_is_written(spelling):
    for reach in (NOTHING, PRIVATE):
        with pytest.raises(AddressRefused):
            reach.resolve(spelling, 80)


@pytest.mark.parametrize("spelling", PRIVATE_ADDRESSES)
def test_a_private_address_is_reached_only_where_the_operator_allows_its_network(spelling):
    assert PRIVATE.resolve(spelling, 80)
    with pytest.raises(AddressRefused):
        NOTHING.resolve(spelling, 80)


@pytest.mark.parametrize("spelling", PUBLIC)
def test_a_public_address_needs_no_permission(spelling):
    assert NOTHING.resolve(spelling, 80)


@pytest.mark.parametrize(
    "spelling",
    [
        "",
        "a..b",
        "x" * 300,
        "a\0b",
        "127.0.0.1\0.example.com",
        " 127.0.0.1",
        "[::1]",
        "127.0.0.1/8",
        "\ud800",
        "256.1.1.1",
    ],
)
def test_what_is_no_name_has_no_address(spelling):
    with pytest.raises(OSError):  # noqa: PT011 - whatever the resolver calls it
        NOTHING.resolve(spelling, 80)


def test_a_name_with_one_address_that_is_refused_is_refused(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", answering("8.8.8.8", "127.0.0.1"))
    with pytest.raises(AddressRefused):
        NOTHING.resolve("both.example.com", 80)


def test_the_addresses_are_those_that_were_judged(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", answering("8.8.8.8", "1.1.1.1", "8.8.8.8"))
    assert NOTHING.resolve("public.example.com", 80) == ["8.8.8.8", "1.1.1.1"]


def test_an_operator_may_allow_loopback():
    reach = Reach(networks=(ip_network("127.0.0.0/8"),))
    assert reach.resolve("localhost", 80) == ["127.0.0.1"]
    assert reach.allows(ip_address("::ffff:127.0.0.1"))
    assert not reach.allows(ip_address("::1"))


def test_a_metadata_address_is_allowed_by_itself_and_never_with_its_network():
    wide = Reach(networks=(ip_network("0.0.0.0/0"), ip_network("::/0"), ip_network("169.254.0.0/16")))
    alone = Reach(networks=(ip_network("169.254.169.254/32"),))
    metadata = ip_address("169.254.169.254")
    assert (wide.allows(metadata), wide.allows(ip_address("169.254.1.1"))) == (False, True)
    assert wide.allows(ip_address("::ffff:169.254.169.254")) is False
    assert alone.allows(metadata) is True


@given(st.ip_addresses(v=4))
def test_what_an_address_means_does_not_depend_on_the_version_it_is_written_in(address):
    inside = int(address)
    for reach in (NOTHING, PRIVATE):
        for carrier in (0xFFFF << 32 | inside, 0x64FF9B << 96 | inside, 0x2002 << 112 | inside << 80):
            assert reach.allows(ip_address(carrier.to_bytes(16, "big"))) == reach.allows(address)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "stores" / "oregon").mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    return tmp_path


def test_a_store_may_be_a_folder_below_the_one_set_aside(root):
    reach = Reach(folders=(root / "stores",))
    assert reach.allows_folder(root / "stores" / "oregon")
    assert reach.allows_folder(root / "stores" / "not-there-yet")
    assert reach.allows_folder(root / "stores" / "oregon" / ".." / "oregon")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "stores",
        "stores/..",
        "stores/../secret",
        "secret",
        "stores-of-others",
        "stores/oregon/../../secret",
        "stores/out",
        "stores/out/x",
        "stores/loop",
        "stores/a\0b",
    ],
)
def test_no_folder_elsewhere_is_a_store_not_even_through_a_link(root, path):
    (root / "stores" / "out").symlink_to(root / "secret")
    (root / "stores" / "loop").symlink_to(root / "stores" / "loop")
    assert not Reach(folders=(root / "stores",)).allows_folder(root / path)


def test_without_a_folder_set_aside_none_is_a_store(root):
    assert not NOTHING.allows_folder(root / "stores")
