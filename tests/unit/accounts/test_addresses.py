"""Where a request came from: nobody's word is taken but a trusted proxy's, and its only about the next hop."""

from ipaddress import ip_network

import pytest
from django.test import RequestFactory

from accounts.addresses import client_address


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "expected"),
    [
        ([], "203.0.113.9", "", "203.0.113.9"),
        ([], "203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ([], "", "198.51.100.1", ""),
        (["10.0.0.0/8"], "203.0.113.9", "198.51.100.1", "203.0.113.9"),
        (["10.0.0.0/8"], "10.0.0.1", "198.51.100.1", "198.51.100.1"),
        (["10.0.0.0/8"], "10.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),
        (["10.0.0.0/8"], "10.0.0.1", "1.2.3.4, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        (["10.0.0.0/8"], "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        (["10.0.0.0/8"], "10.0.0.1", "", "10.0.0.1"),
        (["10.0.0.0/8"], "10.0.0.1", "1.2.3.4, nonsense", "10.0.0.1"),
        (["10.0.0.0/8"], "", "198.51.100.1", "198.51.100.1"),
        (["10.0.0.0/8"], "::ffff:10.0.0.1", "2001:db8::1", "2001:db8::1"),
        (["::1/128"], "::1", "fe80::1%eth0", "fe80::1"),
    ],
)
def test_the_last_address_that_no_trusted_proxy_has(settings, trusted, peer, forwarded, expected):
    settings.TRUSTED_PROXIES = [ip_network(text) for text in trusted]
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    assert client_address(RequestFactory().get("/", REMOTE_ADDR=peer, headers=headers)) == expected
