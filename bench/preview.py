"""How long it takes to look at a changed program, and how much memory: every order of a shop's past under two programs, tiers included.

The work of one process on PostgreSQL, as ``flask program preview`` does it: nothing is written.
"""

from typing import Any

from sqlalchemy import text

from bench.children import answer_of
from bench.crowd import add_members, trust
from bench.ground import Ground, open_shop, settle
from bench.orders import SHOP
from bench.report import Budget, Report, growth
from bench.scale import Scale
from loyalty.runtime import Runtime

_ORDERS_EACH = 5
# Each member has bought five times, at prices of their own, some weeks apart.
_ORDERS = """
INSERT INTO order_standing (shop_id, order_id, member_id, name, snapshot, snapshot_at, authoritative, placed_at, counted, updated_at)
SELECT :shop_id, member.id * 10 + n, member.id, '#' || n, jsonb_build_object(
        'order_id', member.id * 10 + n, 'name', '#' || n, 'currency', 'USD', 'financial_status', 'paid', 'cancelled', false,
        'test', false, 'source', 'web', 'created_at', to_char(made.at, 'YYYY-MM-DD"T"HH24:MI:SS+00:00'),
        'updated_at', to_char(made.at, 'YYYY-MM-DD"T"HH24:MI:SS+00:00'), 'outstanding', '0', 'refunded', '0',
        'refunded_shipping', '0', 'received', null, 'shipping', '0', 'discount_codes', '[]'::jsonb,
        'lines', jsonb_build_array(jsonb_build_array(1, 55, 1, 1, ((member.id * 7 + n * 31) % 200 + 5)::text, '0', false, null, null, false))),
    made.at, true, made.at, ((member.id * 7 + n * 31) % 200 + 5)::text, made.at
FROM member CROSS JOIN generate_series(1, :each) AS n
    CROSS JOIN LATERAL (SELECT timestamp '2026-01-10 12:00' + n * interval '24 days' + (member.id % 20) * interval '1 day' AS at) AS made
WHERE member.shop_id = :shop_id
"""


def measure(ground: Ground, scale: Scale) -> Report:
    """Ever longer pasts, each in a database of its own."""
    report = Report(
        "preview",
        "A changed program over every past order, beside the one in force (PostgreSQL, one process)",
    )
    rates, peaks = [], []
    for orders in scale.growth:
        found = _previewed(ground, orders // _ORDERS_EACH)
        rates.append(report.add_run(orders, "orders", "the whole preview", found))
        peaks.append(found["peak_mb"])
    report.budgets.append(
        Budget.at_most(f"{orders:,} orders in five minutes", found["seconds"] / 60, 5, "minutes")
    )
    report.budgets.append(Budget.at_most("less than 300 MB", max(peaks), 300, "MB"))
    report.budgets.extend(growth(rates, peaks, "order"))
    report.notes.append(
        "one round each; five orders for each member; the changed program has tiers and points that end by age"
    )
    return report


def _previewed(ground: Ground, members: int) -> dict[str, Any]:
    with ground.runtime() as runtime:
        shop_id = open_shop(runtime)
        add_members(runtime, shop_id, 1, members)
        _add_orders(runtime, shop_id)
        settle(runtime.engine)
        asked = {
            "database_url": runtime.engine.url.render_as_string(hide_password=False),
            "token_key": ground.token_key,
            "shop": SHOP,
        }
        found = answer_of("bench.preview_process", asked)
    if found["members"] != members or found["orders"] != members * _ORDERS_EACH or not found["tiers_up"]:
        raise RuntimeError(f"the preview saw {found['members']} of {members} members")
    return found


def _add_orders(runtime: Runtime, shop_id: int) -> None:
    with runtime.transaction() as session:
        trust(session)
        session.execute(text(_ORDERS), {"shop_id": shop_id, "each": _ORDERS_EACH})
