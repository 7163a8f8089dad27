import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from bench import stub


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with stub.running(tokens=5, interval=1) as url:
        yield url


def post(url: str, model: str, **more) -> bytes:
    request = {"model": model, "messages": [{"role": "user", "content": "Hi"}]} | more
    with urllib.request.urlopen(f"{url}/chat/completions", json.dumps(request).encode(), timeout=5) as answer:
        return answer.read()


def events(body: bytes) -> list[dict]:
    lines = [line[6:] for line in body.splitlines() if line.startswith(b"data: {")]
    assert body.rstrip().endswith(b"data: [DONE]")
    return [json.loads(line) for line in lines]


def test_it_lists_its_model(url):
    with urllib.request.urlopen(f"{url}/models") as answer:
        assert json.load(answer)["data"][0]["id"] == "paced"


def test_a_stream_has_every_token_and_the_usage_when_asked(url):
    told = events(post(url, "paced-3-1", stream=True, stream_options={"include_usage": True}))
    assert "".join(event["choices"][0]["delta"].get("content", "") for event in told[:-1]) == stub.text(3)
    assert told[-2]["choices"][0]["finish_reason"] == "stop"
    assert told[-1]["usage"]["completion_tokens"] == 3


def test_without_a_stream_the_whole_reply_comes_at_once(url):
    answer = json.loads(post(url, "any-name"))
    assert answer["choices"][0]["message"]["content"] == stub.text(5)
    assert answer["usage"]["completion_tokens"] == 5


def test_it_keeps_the_pace(url):
    begun = time.monotonic()
    post(url, "paced-21-10-100", stream=True)
    assert 0.3 <= time.monotonic() - begun < 0.6


def test_every_token_is_one_word():
    assert len(stub.text(150).split()) == 150


def test_it_recovers_after_the_failures_that_were_asked_for(url):
    for _ in range(2):
        with pytest.raises(urllib.error.HTTPError, match="503"):
            post(url, "flaky-2")
    assert json.loads(post(url, "flaky-2"))["choices"]


def test_it_tells_what_it_was_sent(url):
    post(url, "echo", temperature=0.5)
    assert stub.told(url)["requests"][-1]["body"]["temperature"] == 0.5
    assert "Hi" in json.loads(post(url, "echo"))["choices"][0]["message"]["content"]


def test_it_ends_with_whoever_started_it():
    with stub.running() as url:
        stub.told(url)
    with pytest.raises(OSError, match="refused"):
        stub.told(url)
