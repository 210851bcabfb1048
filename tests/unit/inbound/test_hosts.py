"""This host's names; the resolver is asked rarely, and only about possible names."""

import pytest

from pagerforce.service.inbound.hosts import OwnNames, host_of, is_address


class Resolver:
    def __init__(self, *names):
        self.names, self.asked = set(names), []

    def __call__(self, name):
        self.asked.append(name)
        return self.names


async def test_the_full_name_is_resolved_once_and_only_if_it_may_be_a_name():
    resolver = Resolver("Web1.corp.example.", "web1.backup.example")
    names = OwnNames("0.0.0.0", "web1", resolver)
    for header in ("evil.example", "web2.corp.example", "x.web1", "localhost", "WEB1:9479"):
        await names.has(header)
    assert resolver.asked == []
    assert await names.has("web1.corp.example:9479")
    assert await names.has("WEB1.backup.example.")
    for number in range(50):
        assert not await names.has(f"web1.evil{number}.example")
    assert resolver.asked == ["web1"]


async def test_the_configured_host_and_the_whole_machine_name_are_known():
    names = OwnNames("metrics.corp.example", "web1.corp.example", Resolver())
    for header in ("Metrics.corp.example", "web1.corp.example:1", "web1", "localhost."):
        assert await names.has(header), header


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("a.b:80", "a.b"),
        ("A.b.", "a.b"),
        ("[::1]:80", "[::1]"),
        ("", None),
        ("a b", None),
        ("a:b", None),
        ("a@b", None),
        ("a:1:2", None),
        ("a\u0661:1", None),
        ("a:123456", None),
        ("x" * 300, None),
    ],
)
def test_only_hosts_are_hosts(header, host):
    assert host_of(header) == host


@pytest.mark.parametrize("text", ["127.0.0.1", "[::1]", "[2001:db8::1]", "255.255.255.255"])
def test_addresses_are(text):
    assert is_address(text)


@pytest.mark.parametrize(
    "text", ["127.1", "2130706433", "0x7f.0.0.1", "::1", "[127.0.0.1]", "[::1", "010.0.0.1"]
)
def test_shorthands_are_no_addresses(text):
    assert not is_address(text)
