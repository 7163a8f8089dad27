import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from staffroom.core import outbound
from staffroom.core.outbound import (
    BrokenOff,
    Limits,
    Refused,
    TooLarge,
    TooSlow,
    Unreachable,
    addresses,
    connections,
)

QUICK = Limits(connect=1, first=0.3, idle=0.3, total=1, size=1000)


PRIVATE = """127.0.0.1 127.8.8.8 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0
192.0.2.1 198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255 ::1 :: fe80::1 fe80::1%eth0 fc00::1 fd12::1 ff02::1
::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 64:ff9b::a00:1 2002:7f00:1:: 2002:a00:1::
2001:0:4136:e378:8000:63bf:80ff:fffe 2001:db8::1 ::127.0.0.1"""


@asynccontextmanager
async def server(
    *answers: bytes, keep: bool = False, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that gives these answers, one for each request, and remembers the requests."""
    heard: list[bytes] = []
    waiting = list(answers)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while waiting:
            try:
                heard.append(await reader.readuntil(b"\r\n\r\n"))
            except asyncio.IncompleteReadError:
                break
            writer.write(waiting.pop(0))
            if not keep:
                break
        await writer.drain()
        if waiting or not keep:
            writer.close()

    listening = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{listening.sockets[0].getsockname()[1]}", heard
    finally:
        listening.close()


def ok(body: bytes, *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def moved(to: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


def fetch(*answers: bytes, path: str = "/", keep: bool = False, limits: Limits = QUICK) -> outbound.Page:
    async def run() -> outbound.Page:
        async with server(*answers, keep=keep) as (url, _):
            return await outbound.fetch(url + path, trusted=True, limits=limits)

    return asyncio.run(run())


def refusal(url: str, *, trusted: bool = False) -> type[Exception] | None:
    try:
        asyncio.run(outbound.fetch(url, trusted=trusted, limits=QUICK))
    except outbound.OutboundError as error:
        return type(error)
    return None


# Reading


def test_a_page_is_read():
    assert fetch(ok(b"hello")).body == b"hello"


def test_redirects_are_followed_and_say_where_they_led():
    page = fetch(moved("/there?x=1"), ok(b"here"), path="/from/page")
    assert page.body == b"here"
    assert page.url.endswith("/there?x=1")


def test_redirects_without_end_are_refused():
    with pytest.raises(Refused):
        fetch(*[moved("/again")] * 10)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", BrokenOff),
        (b"SSH-2.0-OpenSSH\r\n\r\n", BrokenOff),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf", BrokenOff),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", BrokenOff),
        (ok(b"x" * 1001), TooLarge),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000, TooLarge),
    ],
)
def test_answers_that_are_broken_or_too_large_have_names(answer, error):
    with pytest.raises(error):
        fetch(answer)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"])
def test_a_server_that_falls_silent_is_too_slow(answer):
    with pytest.raises(TooSlow):
        fetch(answer, b"", keep=True)


def test_a_trickle_ends_with_the_total_time():
    async def run() -> None:
        async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while not writer.is_closing():
                writer.write(b".")
                await asyncio.sleep(0.1)

        listening = await asyncio.start_server(drip, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        with pytest.raises(TooSlow):
            await outbound.fetch(f"http://127.0.0.1:{port}", trusted=True, limits=QUICK)
        listening.close()

    asyncio.run(run())


def test_nobody_listening_is_unreachable():
    assert refusal("http://127.0.0.1:9/", trusted=True) is Unreachable


def test_a_server_without_a_trusted_certificate_is_unreachable():
    async def run() -> None:
        async with server(ok(b"plain")) as (url, _):
            await outbound.fetch(url.replace("http:", "https:"), trusted=True, limits=QUICK)

    with pytest.raises(Unreachable):
        asyncio.run(run())


def test_a_secure_answer_is_read_in_pieces_and_only_from_the_right_host(tmp_path, monkeypatch):
    theirs, ours = certificates(tmp_path)
    monkeypatch.setattr(connections, "_certificates", lambda: ours)

    async def read(url: str) -> int:
        size = 0
        async with outbound.request("GET", url, trusted=True, limits=Limits()) as answer:
            async for piece in answer.pieces():
                size += len(piece)
                answer.merge = 0.01
        return size

    async def run() -> int:
        async with server(ok(b"x" * 3_000_000), b"", tls=theirs) as (url, _):
            size = await read(url.replace("127.0.0.1", "localhost"))
            with pytest.raises(Unreachable):
                await read(url)
        return size

    assert asyncio.run(run()) == 3_000_000


def certificates(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for localhost, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1)
        )
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(certificate.public_bytes(Encoding.PEM) + secret)
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(file)
    return theirs, ssl.create_default_context(cafile=str(file))


# Connections


def test_a_connection_is_used_again_and_replaced_when_the_server_has_closed_it():
    async def run() -> tuple[list[bytes], int]:
        async with server(ok(b"1"), ok(b"2"), keep=True) as (url, heard):
            bodies = [(await outbound.fetch(url, trusted=True, limits=QUICK)).body for _ in range(2)]
            kept = len(next(iter(connections.pool()._idle.values())))
        assert len(heard) == 2
        return bodies, kept

    assert asyncio.run(run()) == ([b"1", b"2"], 1)


def test_a_kept_connection_that_died_is_replaced_without_a_word():
    async def run() -> list[bytes]:
        async with server(ok(b"1"), ok(b"2")) as (url, _):
            first = await outbound.fetch(url, trusted=True, limits=QUICK)
            second = await outbound.fetch(url, trusted=True, limits=QUICK)
            return [first.body, second.body]

    assert asyncio.run(run()) == [b"1", b"2"]


def test_headers_cannot_be_smuggled_in():
    async def run() -> None:
        async with outbound.request("GET", "http://127.0.0.1:9", trusted=True, headers={"X": "a\r\nHost: b"}):
            pass

    with pytest.raises(Refused):
        asyncio.run(run())


def test_odd_characters_of_a_path_are_escaped():
    target = outbound.parse("http://Bücher.example:8080/a b/ü?q=1 2\r\nX: y#part", trusted=False)
    assert (target.host, target.port) == ("xn--bcher-kva.example", 8080)
    assert target.path == "/a%20b/%C3%BC?q=1%202X:%20y"


# Private addresses


@pytest.mark.parametrize(
    "address",
    PRIVATE.split(),
)
def test_private_addresses_are_known_in_every_disguise(address):
    assert not outbound.is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101"])
def test_public_addresses_are_public(address):
    assert outbound.is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "0",
        "2130706433",
        "0x7f000001",
        "017700000001",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
    ],
)
def test_loopback_is_refused_however_it_is_written(host):
    assert refusal(f"http://{host}:9/") is Refused


@pytest.mark.parametrize(
    "url",
    [
        "",
        "file:///etc/passwd",
        "gopher://example.com",
        "http://",
        "http://[::1",
        "http://a..b/",
        "http://name:word@example.com/",
        "http://example.com:99999/",
        "//example.com",
    ],
)
def test_what_is_no_web_address_is_refused(url):
    assert refusal(url, trusted=True) is Refused


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: str) -> Callable[[], int]:
    """Names resolve to these addresses, one after the other; tells how often somebody asked."""
    asked = iter(answers)
    count = 0

    async def getaddrinfo(self: object, host: str, port: int, **options: object) -> list[tuple[object, ...]]:
        nonlocal count
        count += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(asked), port))]

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return lambda: count


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch):
    asked = resolving(monkeypatch, "203.0.113.9", "127.0.0.1")
    monkeypatch.setattr(addresses, "is_public", lambda address: address == "203.0.113.9")
    went: list[str] = []

    async def connect(address: str, target: addresses.Target) -> None:
        went.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(connections, "_connect_to", connect)
    assert refusal("http://changing.example/") is Unreachable
    assert (went, asked()) == (["203.0.113.9"], 1)


def test_one_private_address_among_public_ones_is_enough_to_refuse(monkeypatch):
    async def both(target: addresses.Target, **options: object) -> list[tuple[object, ...]]:
        return [(2, 1, 6, "", (address, 80)) for address in ("1.1.1.1", "10.0.0.1")]

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", lambda self, *a, **k: both(*a[:1]))
    assert refusal("http://mixed.example/") is Refused


def test_a_redirect_into_a_private_network_is_refused(monkeypatch):
    async def run() -> None:
        async with server(moved("http://127.0.0.2:9/")) as (url, _):
            await outbound.fetch(url, limits=QUICK)

    monkeypatch.setattr(addresses, "is_public", lambda address: address == "127.0.0.1")
    with pytest.raises(Refused):
        asyncio.run(run())


def test_trust_does_not_follow_a_redirect_to_another_host():
    async def run() -> None:
        async with server(moved("http://127.0.0.2:9/")) as (url, _):
            await outbound.fetch(url, trusted=True, limits=QUICK)

    with pytest.raises(Refused):
        asyncio.run(run())
