"""The merchant's search among many members: an index leads to the few, and to nobody at once."""

import pytest
from sqlalchemy import event, text
from sqlmodel import Session

from loyalty.statement import members

MANY = 20_000


@pytest.fixture(name="crowd")
def _crowd(postgres_engine):
    """A shop with many members, and another one beside it."""
    with postgres_engine.begin() as connection:
        for domain in ("fern-and-fig.myshopify.com", "other.myshopify.com"):
            shop = connection.execute(
                text(
                    "INSERT INTO shop (domain, name, currency, timezone, plan, scopes, needs_reauthorization, code_key,"
                    " first_installed_at, installed_at)"
                    " VALUES (:domain, '', 'USD', 'UTC', '', '', false, '', now(), now()) RETURNING id"
                ),
                {"domain": domain},
            ).scalar_one()
            connection.execute(
                text(
                    "INSERT INTO member (shop_id, shopify_customer_id, email, first_name, last_name, state, balance,"
                    " lifetime_earned, lifetime_spent, entry_count, chain_head, pending, expiring_points, created_at, updated_at)"
                    " SELECT :shop, n, 'shopper-' || n || '@fernandfig.shop', 'Iris' || n % 50, 'Vale' || n, 'member', n,"
                    " 0, 0, 0, '', 0, 0, now(), now() FROM generate_series(1, :many) n"
                ),
                {"shop": shop, "many": MANY},
            )
    with postgres_engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE member"))
    return postgres_engine


def search(engine, words: str, **options: str) -> tuple[list[str], str]:
    """The names that a search finds in the first shop, and how PostgreSQL looks for them."""
    asked = []

    def keep(_connection, _cursor, statement, parameters, *_rest):
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", keep)
    with Session(engine) as session:
        found = members.members_page(session, 1, search=words, **options)
    event.remove(engine, "before_cursor_execute", keep)
    statement, parameters = asked[-1]
    with engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars().all()
    return [row.name for row in found.rows], "\n".join(plan)


@pytest.mark.postgres
class TestSearch:
    @pytest.mark.parametrize("sort", ["newest", "balance"])
    @pytest.mark.parametrize("words", ["zz", "zz@fernandfig.shop", "Zora Zz", "100%", "Žofie", "777777777"])
    def test_nobody(self, crowd, words, sort):
        """A search that finds nobody is led to the place where they would be; it looks at nobody else."""
        names, plan = search(crowd, words, sort=sort)
        assert names == []
        assert "Seq Scan" not in plan
        assert "Bitmap Index Scan" in plan or "Index Scan using ix_member_shop_id_" in plan
        assert "~>=~" in plan

    @pytest.mark.parametrize(
        ("words", "names"),
        [
            ("SHOPPER-19999", ["Iris49 Vale19999"]),
            ("vale19999", ["Iris49 Vale19999"]),
            ("iris49 VALE1999", ["Iris49 Vale19999", "Iris49 Vale1999"]),
            ("19999", ["Iris49 Vale19999"]),
        ],
    )
    def test_somebody(self, crowd, words, names):
        """Whoever is there is found by address, name, both names or number, whatever the case of the letters."""
        assert search(crowd, words)[0] == names
