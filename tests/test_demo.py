"""`staffroom demo`: an example to look around in, made once, with the product running or not."""

from __future__ import annotations

import httpx

from tests.product import running


def test_the_example_is_made_once_and_its_chats_are_answered_and_paid() -> None:
    with running() as product:
        said = product.command("demo")
        assert "/o/lindgren/employees" in said
        assert "Password of all three: " in said
        assert "sound" in product.command("ledger", "check")
        key = product.command("key", "add", "nadia@demo.example").split()[-1]
        again = product.command("demo", check=False)
        assert again == ""

        api = httpx.Client(
            base_url=f"{product.url}/api/v1/o/lindgren",
            headers={"Authorization": f"Bearer {key}"},
            timeout=20,
        )
        assert {one["name"] for one in api.get("/employees").json()["items"]} == {"Mira", "Otto"}
        assert {one["state"] for one in api.get("/knowledge").json()["items"]} == {"ready"}
        chats = api.get("/chats").json()["items"]
        assert len(chats) == 4
        last = {api.get(f"/chats/{one['id']}/messages").json()["items"][-1]["author"] for one in chats}
        assert last == {"employee", "manager"}
        assert api.get("/balance").json()["words_left"] < 120_000
