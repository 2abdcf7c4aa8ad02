"""The API's page: keys that are shown once, and what became of the actions that programs told of."""

import re

from flask.testing import FlaskClient
from sqlmodel import select

from loyalty import api_actions
from loyalty.models import ApiKey
from loyalty.runtime import Runtime
from tests.merchant_pages import NOW, Door
from tests.shop_story import Story


def page(client: FlaskClient) -> str:
    """The page's text."""
    answer = client.get("/api-keys")
    assert answer.status_code == 200, answer.get_data(as_text=True)[:300]
    return answer.get_data(as_text=True)


class TestKeys:
    def test_made_and_revoked(self, client: FlaskClient, runtime: Runtime, story: Story) -> None:
        """A key is told once, in the answer that makes it; the page shows its beginning, until it is revoked."""
        made = client.post("/api-keys", data={"label": " Survey <tool> "}).json
        assert re.fullmatch(r"laurel_[0-9a-f]{10}_[A-Za-z0-9_-]{43}", made["reveal"])
        shown = page(client)
        assert made["reveal"] not in shown
        assert made["reveal"][:17] in shown
        assert "Survey &lt;tool&gt;" in shown
        with runtime.reading() as session:
            (row,) = session.exec(select(ApiKey)).all()
        assert (row.label, row.made_by) == ("Survey <tool>", "81001")
        assert client.post(f"/api-keys/{row.id}/revoke").json["ok"]
        assert "There is no key yet." in page(client)
        assert client.post(f"/api-keys/{row.id}/revoke").status_code == 404

    def test_label(self, client: FlaskClient, story: Story) -> None:
        """A key without a name, or with a strange one, is not made."""
        for label in ("", "  ", "x" * 61, "a\x00b"):
            answer = client.post("/api-keys", data={"label": label})
            assert (answer.status_code, list(answer.json["errors"])) == (422, ["label"])

    def test_other_shop(self, client: FlaskClient, door: Door, story: Story) -> None:
        """The keys of another shop can be neither seen nor ended."""
        client.post("/api-keys", data={"label": "Mine"})
        door.shop_id = 99
        assert client.post("/api-keys/1/revoke").status_code == 404


class TestActions:
    def test_refused(self, client: FlaskClient, runtime: Runtime, story: Story) -> None:
        """Why an action earned nothing is said in words."""
        with runtime.transaction() as session:
            shop_id = story.shop_id
            api_actions.note(session, shop_id, key="survey-1041", rule="survey", now=NOW)
            api_actions.note(session, shop_id, key="survey-1042", rule="survey", now=NOW)
            api_actions.refuse(session, shop_id, key="survey-1041", rule="survey", reason="limit_reached")
        shown = page(client)
        assert "The rule&#39;s limit was reached" in shown
        assert "Its turn is yet to come" in shown

    def test_none(self, client: FlaskClient, bare: Story) -> None:
        """A new shop reads that nothing was told of yet."""
        assert "Nothing was received yet." in page(client)
