import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffroom.core.outbound.http1 import HEAD_SIZE, Body, Head, Malformed, read_head


def head(**headers: str) -> Head:
    return Head("HTTP/1.1", 200, {name.replace("_", "-"): value for name, value in headers.items()})


def feed(body: Body, data: bytes, sizes: list[int]) -> bytes:
    """The body from data that arrives in parts of these sizes, repeated."""
    buffer, out, at, turn = bytearray(), b"", 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        buffer += data[at : at + size]
        at, turn = at + size, turn + 1
        out += body.take(buffer)
    return out


def test_a_head_is_taken_off_when_it_is_complete():
    buffer = bytearray(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-A: 1\r\nx-a: 2\r\n")
    assert read_head(buffer) is None
    buffer += b"\r\nrest"
    assert read_head(buffer) == head(content_type="text/plain", x_a="1, 2")
    assert buffer == b"rest"


def test_interim_answers_are_skipped():
    assert read_head(bytearray(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 \r\n\r\n")) == head()


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbad name : x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
        b"x" * (HEAD_SIZE + 1),
    ],
)
def test_what_is_no_head_is_refused(data):
    with pytest.raises(Malformed):
        read_head(bytearray(data))


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.lists(st.integers(1, 30), min_size=1))
def test_chunks_come_out_whole_however_they_arrive(parts, sizes):
    data = (
        b"".join(b"%x;extension=1\r\n%b\r\n" % (len(part), part) for part in parts)
        + b"0\r\nTrailer: x\r\n\r\n"
    )
    body = Body(head(transfer_encoding="chunked"))
    assert feed(body, data, sizes) == b"".join(parts)
    assert body.complete


@given(st.binary(max_size=60), st.lists(st.integers(1, 30), min_size=1))
def test_a_body_with_a_length_ends_there(content, sizes):
    body = Body(head(content_length=str(len(content))))
    assert feed(body, content + b"next", sizes) == content
    assert body.complete


def test_a_body_without_a_length_ends_with_the_connection():
    body = Body(head())
    assert body.take(bytearray(b"abc")) == b"abc"
    assert not body.complete
    assert body.ends_with_connection
    assert not body.keep_alive


@pytest.mark.parametrize("size", [b"", b"-1", b"0x5", b"+5", b"g", b"123456789", b"5 5"])
def test_a_chunk_size_that_is_none_is_refused(size):
    with pytest.raises(Malformed):
        Body(head(transfer_encoding="chunked")).take(bytearray(size + b"\r\nhello\r\n"))


def test_a_chunk_longer_than_it_said_is_refused():
    with pytest.raises(Malformed):
        Body(head(transfer_encoding="chunked")).take(bytearray(b"3\r\nhello\r\n0\r\n\r\n"))


def test_a_size_line_without_end_is_refused():
    with pytest.raises(Malformed):
        Body(head(transfer_encoding="chunked")).take(bytearray(b"1;" + b"x" * 5000))


@pytest.mark.parametrize("length", ["-1", "1_0", "١", "1, 1", "x"])
def test_a_length_that_is_none_is_refused(length):
    with pytest.raises(Malformed):
        Body(head(content_length=length))


def test_codings_that_were_not_asked_for_are_refused():
    with pytest.raises(Malformed):
        Body(head(transfer_encoding="gzip, chunked"))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_head_or_refused(data):
    try:
        found = read_head(bytearray(data))
    except Malformed:
        return
    assert found is None or found.status >= 200
