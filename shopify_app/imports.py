"""Brings in the customers and the orders that a shop had before us, by Shopify's bulk queries.

A run asks for the file, waits for it, and reads it in chunks: some lines over the network first, then one transaction that settles
them and notes how far the file was read. Whatever is read twice settles to nothing new. History starts no flow.
"""

import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any

import requests

from loyalty import programs, runs
from loyalty.core.facts import Fact, OrderSeen
from loyalty.inbox import Malformed
from loyalty.models import Shop
from loyalty.points import absorb
from loyalty.runs import RunView, Step, StepFunction
from loyalty.runtime import Runtime
from shopify_app import documents
from shopify_app.admin_api import ACCESS_DENIED, AdminClient
from shopify_app.bulk_file import AddressRanOut, Group, groups
from shopify_app.catalogue import Catalogue
from shopify_app.config import ShopifyConfig
from shopify_app.customer_node import customer_of_node
from shopify_app.erasure import SHOP_ERASURE, erase_step
from shopify_app.errors import (
    AccessDenied,
    ConfigurationWrong,
    NeedsReauthorization,
    NotInstalled,
    RequestInvalid,
    ShopifyError,
    ShopUnavailable,
    Throttled,
)
from shopify_app.lifecycle import CUSTOMER_IMPORT, ORDER_IMPORT
from shopify_app.order_node import identity_of_node, snapshot_of_node
from shopify_app.reward_outcomes import error_codes
from shopify_app.shop_details import granted

CHUNK = 500
# Where each order's products are asked for, a chunk must not ask for more than an API limit refills meanwhile.
FEW = 100
_MOST_RESTARTS = 3
_MOST_REFUSED = 5
# Whoever gives a permission is noticed at once; this is for when nobody tells.
_UNTIL_PERMITTED = 300.0
_RUNNING = frozenset({"CREATED", "RUNNING"})
_BUSY = frozenset({"LIMIT_REACHED", "OPERATION_IN_PROGRESS"})


# What could not be read, whose it is, what became of it, and why.
Unreadable = tuple[str, int | None, str, str]


@dataclass(frozen=True, slots=True)
class Kind:
    """What is brought in: the scopes that it takes, the bulk query, and the fact of a group of its lines. ``asks_less`` is the query for
    an app that was not approved for all the personal data that the other asks for."""

    scopes: tuple[str, ...]
    query: Callable[[Mapping[str, Any]], str]
    fact: Callable[[Group], Fact]
    asks_less: Callable[[Mapping[str, Any]], str] | None = None


def steps(config: ShopifyConfig, session: requests.Session) -> Mapping[str, StepFunction]:
    """The step functions of this edge's runs."""
    imports = {kind: partial(import_step, config, session) for kind in KINDS}
    return {**imports, SHOP_ERASURE: erase_step}


def import_step(config: ShopifyConfig, session: requests.Session, runtime: Runtime, view: RunView) -> Step:
    """Ask for the file, wait for it, or read a part of it."""
    api = AdminClient(runtime, config, view.shop_id, session)
    try:
        return _step(runtime, api, session, view)
    except AccessDenied:
        return _without_access(api, view)
    except AddressRanOut:
        return _ask_address_again(runtime, view)
    except ShopifyError as error:
        return _trouble(error)


def _step(runtime: Runtime, api: AdminClient, session: requests.Session, view: RunView) -> Step:
    operation = view.cursor.get("operation")
    if operation is None:
        return _ask(runtime, api, view)
    return _go_on(runtime, api, session, view, operation)


def order_query(params: Mapping[str, Any], document: str = documents.BULK_ORDERS) -> str:
    """The bulk query for orders since a day (or all that we may see). Raises ``RequestInvalid`` for a day that is none."""
    since = params.get("since")
    if since is None:
        return document % ""
    try:
        day = date.fromisoformat(str(since))
    except ValueError:
        raise RequestInvalid("since_is_not_a_day") from None
    return document % f"created_at:>={day.isoformat()}"


def customer_fact(group: Group) -> Fact:
    """A customer as history."""
    return customer_of_node(group.parent, history=True)


def order_fact(group: Group) -> Fact:
    """An order as history. It is not the last word: where it would take points back, the order is read again."""
    snapshot = snapshot_of_node(group.parent, group.children)
    return OrderSeen(snapshot, identity_of_node(group.parent), history=True)


KINDS: Mapping[str, Kind] = {
    CUSTOMER_IMPORT: Kind(("read_customers",), lambda _params: documents.BULK_CUSTOMERS, customer_fact),
    ORDER_IMPORT: Kind(
        ("read_orders", "read_customers", "read_products"),
        order_query,
        order_fact,
        partial(order_query, document=documents.BULK_ORDERS_WITHOUT_ADDRESSES),
    ),
}


def _ask(runtime: Runtime, api: AdminClient, view: RunView) -> Step:
    query = _query(view)
    try:
        answer = api.mutate(documents.BULK_RUN, {"query": query}, idempotent=False)
    except AccessDenied:
        return _refused(runtime, api, view)
    except RequestInvalid as error:
        return _ask_less(runtime, view) or Step(error=error.reason)
    payload = answer.data.get("bulkOperationRunQuery") or {}
    codes = error_codes(payload)
    if _BUSY & set(codes):
        return Step(wait=30.0)
    operation = (payload.get("bulkOperation") or {}).get("id")
    if operation is None and ACCESS_DENIED in (*codes, *answer.errors):
        return _refused(runtime, api, view)
    if codes or operation is None:
        refused = ",".join(codes or answer.errors).lower() or "no_operation"
        return _ask_less(runtime, view) or Step(error=refused)
    with runtime.transaction() as session:
        cursor = {"operation": operation, "offset": 0, "polls": 0} | _kept(view)
        runs.save(session, view.id, cursor=cursor)
    return Step(wait=1.0)


def _query(view: RunView) -> str:
    kind = KINDS[view.kind]
    asks_less = kind.asks_less if view.cursor.get("asks_less") else None
    return (asks_less or kind.query)(view.params)


def _kept(view: RunView) -> dict[str, Any]:
    """What a run remembers from one file to the next."""
    kept = {"restarts": int(view.cursor.get("restarts", 0))}
    return kept | ({"asks_less": True} if view.cursor.get("asks_less") else {})


def _refused(runtime: Runtime, api: AdminClient, view: RunView) -> Step:
    """The query was not allowed: wait for a permission, or, where none is lacking, ask for less."""
    step = _without_access(api, view)
    return (_ask_less(runtime, view) or step) if step.error else step


def _ask_less(runtime: Runtime, view: RunView) -> Step | None:
    """Ask for a file without what the app may not see, from its beginning; None where that was done, or there is nothing to leave out."""
    if KINDS[view.kind].asks_less is None or view.cursor.get("asks_less"):
        return None
    with runtime.transaction() as session:
        cursor = _kept(view) | {"asks_less": True}
        runs.save(session, view.id, cursor=cursor, done=-view.done, failed=-view.failed)
    return Step(wait=1.0)


def _go_on(
    runtime: Runtime, api: AdminClient, session: requests.Session, view: RunView, operation: str
) -> Step:
    found = api.query(documents.BULK_STATE, {"id": operation}).data.get("bulkOperation") or {}
    status = found.get("status")
    if status in _RUNNING:
        polls = int(view.cursor.get("polls", 0)) + 1
        with runtime.transaction() as database:
            runs.save(database, view.id, cursor=view.cursor | {"polls": polls})
        return Step(wait=float(min(2**polls, 30)))
    if found.get("errorCode") == ACCESS_DENIED:
        with runtime.transaction() as database:
            runs.save(database, view.id, cursor=_kept(view))
        return _refused(runtime, api, view)
    if status != "COMPLETED":
        return _restart(runtime, view, str(found.get("errorCode") or status or "operation_is_gone"))
    total = int(found.get("rootObjectCount") or 0)
    if found.get("url") is None:
        # Shopify makes no file when nothing was found, and keeps a file for a week.
        return Step(finished=True) if total == 0 else _restart(runtime, view, "file_is_gone")
    return _read(runtime, api, session, view, str(found["url"]), total)


def _ask_address_again(runtime: Runtime, view: RunView) -> Step:
    """The next step asks the operation for a new address. A file of which every address is refused is gone: Shopify keeps it for a week."""
    refused = int(view.cursor.get("refused", 0)) + 1
    if refused >= _MOST_REFUSED:
        return _restart(runtime, view, "file_is_gone")
    with runtime.transaction() as session:
        # An address is refused before anything of the file is read, so this is where the reading was.
        runs.save(session, view.id, cursor=view.cursor | {"refused": refused})
    return Step(wait=float(2 ** (refused - 1)))


def _without_access(api: AdminClient, view: RunView) -> Step:
    """Wait for what the merchant has to give; where nothing is lacking, it will never be given."""
    try:
        have = granted(api.query(documents.SHOP).data)
    except ShopifyError as error:
        return _trouble(error)
    # Whoever may write may read, and Shopify does not always name both.
    lacks = tuple(
        scope
        for scope in KINDS[view.kind].scopes
        if scope not in have and scope.replace("read_", "write_", 1) not in have
    )
    return Step(wait=_UNTIL_PERMITTED, lacks=lacks) if lacks else Step(error=ACCESS_DENIED.lower())


def _restart(runtime: Runtime, view: RunView, reason: str) -> Step:
    """Ask for a new file, from its beginning: what was settled stays settled."""
    restarts = int(view.cursor.get("restarts", 0)) + 1
    if restarts > _MOST_RESTARTS:
        return Step(error=reason.lower())
    with runtime.transaction() as session:
        cursor = _kept(view) | {"restarts": restarts}
        runs.save(session, view.id, cursor=cursor, done=-view.done, failed=-view.failed)
    return Step(wait=5.0 * restarts)


def _read(
    runtime: Runtime, api: AdminClient, session: requests.Session, view: RunView, address: str, total: int
) -> Step:
    """Settle chunks until the file ends or the time is up. The connection stays open between chunks, the transaction does not."""
    until = time.monotonic() + runtime.step_seconds
    cursor = {name: value for name, value in view.cursor.items() if name != "refused"}
    catalogue = Catalogue(api) if _chooses_goods(runtime, view) else None
    found = groups(session, address, offset=int(cursor["offset"]))
    try:
        while chunk := list(itertools.islice(found, CHUNK if catalogue is None else FEW)):
            cursor["offset"] = chunk[-1].end
            facts, unreadable = _facts(view.kind, chunk)
            if catalogue is not None:
                facts = _completed(facts, catalogue)
            _settle(runtime, view, facts, unreadable, cursor, total)
            if time.monotonic() > until:
                return Step()
    finally:
        found.close()
    return Step(finished=True)


def _chooses_goods(runtime: Runtime, view: RunView) -> bool:
    """Whether the program in force has a rule for some goods, so that an order is worth nothing before its products are known."""
    if view.kind != ORDER_IMPORT:
        return False
    with runtime.reading() as session:
        program = programs.current(session, view.shop_id)
    return any(rule.goods.asks_catalogue for rule in program.order_rules)


def _facts(kind: str, chunk: Iterable[Group]) -> tuple[list[Fact], list[Unreadable]]:
    """The facts of a chunk, and the groups that make none."""
    facts: list[Fact] = []
    unreadable: list[Unreadable] = []
    for group in chunk:
        try:
            facts.append(KINDS[kind].fact(group))
        except (Malformed, ValueError) as error:
            subject = str(group.parent.get("id") or f"place {group.end}")[:100]
            unreadable.append((subject, None, "failed", str(error)))
    return facts, unreadable


def _completed(facts: list[Fact], catalogue: Catalogue) -> list[Fact]:
    catalogue.learn(fact.order for fact in facts if isinstance(fact, OrderSeen))
    return [
        replace(fact, order=catalogue.complete(fact.order)) if isinstance(fact, OrderSeen) else fact
        for fact in facts
    ]


def _settle(
    runtime: Runtime,
    view: RunView,
    facts: list[Fact],
    unreadable: list[Unreadable],
    cursor: dict[str, Any],
    total: int,
) -> None:
    with runtime.transaction() as session:
        shop = session.get_one(Shop, view.shop_id)
        if shop.uninstalled_at is not None:
            raise NotInstalled("uninstalled")
        absorb(session, shop, facts, now=runtime.clock(), cipher=runtime.cipher)
        runs.note(session, view.id, unreadable)
        runs.save(session, view.id, cursor=dict(cursor), total=total, done=len(facts), failed=len(unreadable))


def _trouble(error: ShopifyError) -> Step:
    match error:
        case Throttled(seconds=seconds):
            return Step(wait=max(seconds, 1.0))
        case NeedsReauthorization() | NotInstalled() | ConfigurationWrong() | ShopUnavailable():
            return Step(wait=900.0)
        case RequestInvalid(reason=reason):
            return Step(error=reason)
    return Step(wait=10.0)
