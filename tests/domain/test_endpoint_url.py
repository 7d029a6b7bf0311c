import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.endpoint_url import RefusedUrlError, endpoint_url, is_loopback, is_public, may_connect

PRIVATE = [
    "0.0.0.0",  # noqa: S104 - nothing is bound to it
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:8.8.8.8",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:a00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "2606:4700::1%eth0",
    "",
    "localhost",
    "127.1",
    "0x7f000001",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "52.78.100.19", "223.130.195.200", "2606:4700::1111", "2001:4860:4860::8888"]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_of_the_inside_is_not_public_however_it_is_written(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_outside_is_public(address):
    assert is_public(address)


@given(st.ip_addresses())
def test_nothing_is_public_that_the_standard_library_calls_private(address):
    if is_public(str(address)):
        assert address.is_global
        assert not address.is_multicast


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_an_ipv6_address_is_never_public(address):
    for prefix in ("::ffff:0:0", "64:ff9b::", "64:ff9b:1::", "::"):
        assert not is_public(str(ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) + int(address))))
    assert not is_public(str(ipaddress.IPv6Address((0x2002 << 112) + (int(address) << 80))))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://user@example.com/",
        "https://user:password@example.com/",
        "https://example.com\\@127.0.0.1/",
        "https://127.0.0.1#@example.com/",
        "https://example.com/#fragment",
        "https://exa mple.com/",
        "https://example.com/\n",
        "https://example.com/ ",
        "https://example.com/a\x00b",
        "https://예.한국/",
        "https://example.com:22/",
        "https://example.com:80/",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://example.com:/",
        "https://127.0.0.1/",
        "https://127.0.0.1:8443/",
        "https://127.1/",
        "https://127.1./",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[fe80::1%25eth0]/",
        "https://[fd00::1]/",
        "https://" + "a" * 2050 + ".com/",
        "https://" + "a" * 64 + ".com/",
        "https://shop..example.com/",
    ],
)
def test_an_address_that_is_not_plainly_outside_is_refused_without_repeating_it(url):
    with pytest.raises(RefusedUrlError) as refused:
        endpoint_url(url, allow_loopback=False)
    assert "127" not in str(refused.value)
    assert "password" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://example.com", "example.com", 443),
        ("https://shop.example.com/hooks/gudok?tenant=a%20b", "shop.example.com", 443),
        ("https://EXAMPLE.com:8443/Path", "example.com", 8443),
        ("https://xn--9n2bp8q.xn--3e0b707e/", "xn--9n2bp8q.xn--3e0b707e", 443),
        ("https://[2606:4700::1111]/", "2606:4700::1111", 443),
    ],
)
def test_an_address_of_the_outside_is_taken_apart(url, host, port):
    found = endpoint_url(url, allow_loopback=False)
    assert (found.url, found.host, found.port, found.loopback) == (url, host, port, False)


def test_this_machine_is_reached_only_where_it_is_allowed():
    for url in ("http://127.0.0.1:8000/", "http://localhost:3000/hook", "http://[::1]:9/"):
        assert endpoint_url(url, allow_loopback=True).loopback
        with pytest.raises(RefusedUrlError):
            endpoint_url(url, allow_loopback=False)
    for url in ("http://example.com/", "http://10.0.0.1/", "http://localhost.example.com/", "http://127.0.0.1:0/"):
        with pytest.raises(RefusedUrlError):
            endpoint_url(url, allow_loopback=True)


def test_a_socket_is_opened_only_to_where_the_address_may_lead():
    outside = endpoint_url("https://example.com/", allow_loopback=True)
    here = endpoint_url("http://localhost:3000/", allow_loopback=True)
    assert may_connect("8.8.8.8", 443, outside)
    assert not may_connect("8.8.8.8", 22, outside)
    assert not may_connect("127.0.0.1", 443, outside)
    assert may_connect("127.0.0.1", 3000, here)
    assert not may_connect("127.0.0.1", 3001, here)
    assert not may_connect("8.8.8.8", 3000, here)
    assert is_loopback("::1")
    assert not is_loopback("localhost")
