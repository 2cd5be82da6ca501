"""No webhook leads into the own network, whatever its name resolves to and however an address is written."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from detector.service.alerts.addresses import AddressRefusedError, read_target, refuse, resolve

INSIDE = [
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254",
    "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1", "::", "::1", "fe80::1", "fe80::1%eth0",
    "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
    "2001:0:7f00:1:0:ffff:f5ff:fffe", "2001:db8::1",
]  # fmt: skip
OUTSIDE = ["8.8.8.8", "93.184.215.14", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8", "2002:808:808::1"]


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_that_is_none_of_the_internet_is_refused(address: str) -> None:
    with pytest.raises(AddressRefusedError):
        refuse(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_of_the_internet_is_taken(address: str) -> None:
    refuse(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "::1", "fd00::5", "192.168.7.7"])
def test_a_host_that_the_operator_named_may_lie_inside(address: str) -> None:
    refuse(address, private=True)


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1"])
def test_not_even_a_named_host_leads_to_the_metadata_of_a_cloud(address: str) -> None:
    with pytest.raises(AddressRefusedError):
        refuse(address, private=True)


@pytest.mark.parametrize(
    "url",
    [
        "", "example.com", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com", "https://", "https:///x",
        "http://example.com/", "https://user@example.com/", "https://user:word@example.com/", "https://example.com/#x",
        "https://example.com\\@evil.example/", "https://exa mple.com/", "https://example.com/\n", "https://exämple.com/",
        "https://example.com:99999/", "https://[::1", "https://" + "a" * 2_000 + ".com/", "https://-.com/",
        "https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://2130706433/", "https://0x7f000001/", "https://127.1/",
        "https://127.0.0.1./", "https://example.0x7f/", "https://a..b/",
    ],
)  # fmt: skip
def test_an_address_that_is_odd_or_not_https_is_refused_before_anybody_is_asked(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("asked"))
    with pytest.raises(AddressRefusedError):
        read_target(url, ())


def test_an_ordinary_address_is_read() -> None:
    target = read_target("https://Hooks.Example.com/a/b?key=c", ())
    assert (target.host, target.port, target.path) == ("hooks.example.com", 443, "/a/b?key=c")
    assert target.shown == "https://hooks.example.com"
    assert read_target("https://[2606:4700::1111]:8443/", ()).shown == "https://[2606:4700::1111]:8443"


def test_plain_http_is_for_named_hosts_alone() -> None:
    assert read_target("http://alerts.internal:8080/x", ("alerts.internal:8080",)).port == 8080
    with pytest.raises(AddressRefusedError, match="https://"):
        read_target("http://alerts.internal:8081/x", ("alerts.internal:8080",))


def answer(*addresses: str) -> Any:
    return lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in addresses]


def test_one_inner_address_among_outer_ones_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    target = read_target("https://example.com/", ())
    monkeypatch.setattr(socket, "getaddrinfo", answer("8.8.8.8", "10.0.0.1"))
    with pytest.raises(AddressRefusedError, match="DETECTOR_WEBHOOK_PRIVATE_HOSTS"):
        resolve(target, ())
    assert resolve(target, ("example.com",)) == "8.8.8.8"


def test_a_name_without_an_address_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", answer())
    with pytest.raises(OSError, match="no address"):
        resolve(read_target("https://example.com/", ()), ())
