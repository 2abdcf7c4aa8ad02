"""Fills an empty shop from its file. The caller's transaction is the whole of it: whatever is refused here leaves nothing behind."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, text, update
from sqlmodel import Session, SQLModel, col

from loyalty import outbox
from loyalty.core.ledger import Entry, Source, entry_id
from loyalty.ledger import verify
from loyalty.models import LedgerEntry, Member, OrderStanding, ProgramVersion, Shop
from loyalty.whole_shop.tables import BY_NAME, KEPT, self_links, table_of, value_of, written_columns
from loyalty.whole_shop.writing import SHOP_COLUMNS, VERSION

ROWS_AT_ONCE = 1_000
# Older files do not have these.
_NOT_ALWAYS_TOLD: Mapping[str, Any] = {"money_format": ""}
_INSTANTS = ("first_installed_at", "installed_at")
_GONE = ("deleted", "redacted")
_Line = tuple[int, dict[str, Any]]


class RestoreRefused(ValueError):
    """The file cannot be restored here. The text says why; it names no person."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored: the shop, the rows of each table, and the seal of its books."""

    shop_id: int
    domain: str
    rows: Mapping[str, int]
    digest: verify.Digest


def restore(
    session: Session, lines: Iterable[str], *, new_key: Callable[[str], str], now: datetime
) -> Restored:
    """Read a file and fill its shop. ``new_key`` makes the sealed key of the codes of a shop (by its domain)
    that this database does not know yet. Raises ``RestoreRefused``."""
    told = _parsed(lines)
    head = _head(next(told, (1, {})))
    shop = _shop(session, head["shop"], new_key=new_key, now=now)
    assert shop.id is not None
    columns = _columns(head["tables"])
    counts = dict.fromkeys(BY_NAME, 0)
    end: dict[str, int] | None = None
    for kind, group in groupby(told, key=_kind):
        if end is not None:
            raise RestoreRefused("there is something behind the file's end")
        if kind == "end":
            end = next(group)[1]["end"]
            continue
        name, what = kind.split(":")
        if what == "row":
            counts[name] += _fill(session, shop.id, name, columns[name], group)
        else:
            _link(session, shop.id, name, group)
    if end is None:
        raise RestoreRefused("the file ends too early: it was not written to its end")
    if end != counts:
        raise RestoreRefused(f"the file should have {end} rows and has {counts}")
    return _proved(session, shop, head["digest"], counts, now=now)


def _parsed(lines: Iterable[str]) -> Iterator[_Line]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError:
            raise RestoreRefused(f"line {number} is not JSON") from None
        if not isinstance(value, dict):
            raise RestoreRefused(f"line {number} is not an object")
        yield number, value


def _head(line: _Line) -> dict[str, Any]:
    head = line[1]
    if "laurel_shop" not in head:
        raise RestoreRefused("this is not a shop's file: its first line says nothing of a shop")
    if head["laurel_shop"] != VERSION:
        raise RestoreRefused(
            f"the file is of version {head['laurel_shop']}; this program reads version {VERSION}"
        )
    if not all(isinstance(head.get(part), dict) for part in ("shop", "tables", "digest")):
        raise RestoreRefused("the first line does not say what the file has")
    return head


def _kind(line: _Line) -> str:
    number, value = line
    if "end" in value:
        return "end"
    name = value.get("table")
    if name not in BY_NAME or not {"row", "link"} & value.keys():
        raise RestoreRefused(f"line {number} is about something that is not known here")
    if "row" not in value and not (isinstance(value["link"], list) and len(value["link"]) == 3):
        raise RestoreRefused(f"line {number} does not say what points where")
    return f"{name}:{'row' if 'row' in value else 'link'}"


def _shop(session: Session, told: Mapping[str, Any], *, new_key: Callable[[str], str], now: datetime) -> Shop:
    """The shop of the file, which must be empty; a new one waits for its merchant to open the app."""
    said = {**_NOT_ALWAYS_TOLD, **told}
    try:
        values: dict[str, Any] = {
            name: datetime.fromisoformat(said[name]) if name in _INSTANTS else said[name]
            for name in SHOP_COLUMNS
        }
    except (KeyError, ValueError, TypeError):
        raise RestoreRefused("the first line does not say which shop this is") from None
    statement = select(Shop).where(col(Shop.domain) == values["domain"]).with_for_update()
    shop: Shop | None = session.execute(statement).scalar_one_or_none()
    if shop is None:
        shop = Shop(**values, code_key=new_key(values["domain"]), uninstalled_at=now)
        session.add(shop)
        session.flush()
        return shop
    if shop.erasing_at is not None:
        raise RestoreRefused("the shop is being erased here")
    for model in (Member, LedgerEntry, OrderStanding):
        table = table_of(model)
        if session.execute(select(table.c.shop_id).where(table.c.shop_id == shop.id).limit(1)).first():
            raise RestoreRefused(f"the shop is not empty here: it has rows in {table.name}")
    shop.first_installed_at = min(shop.first_installed_at, values["first_installed_at"])
    session.execute(delete(ProgramVersion).where(col(ProgramVersion.shop_id) == shop.id))
    session.flush()
    return shop


def _columns(told: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The columns of each table of the file. One that this program does not have cannot be kept, so it is not dropped in silence."""
    for name, columns in told.items():
        known = {column.name for column in written_columns(BY_NAME[name])} if name in BY_NAME else set()
        unknown = sorted(set(columns) - known)
        if unknown:
            raise RestoreRefused(f"the file was written by a newer program: {name} has {', '.join(unknown)}")
    missing = sorted(BY_NAME.keys() - told.keys())
    if missing:
        raise RestoreRefused(f"the first line does not say what {', '.join(missing)} have")
    return dict(told)


def _fill(session: Session, shop_id: int, name: str, columns: list[str], group: Iterable[_Line]) -> int:
    model = BY_NAME[name]
    if model is Member and session.get_bind().dialect.name == "postgresql":
        # Numbers are told here that the database would otherwise give out itself.
        session.execute(text("LOCK TABLE member IN SHARE ROW EXCLUSIVE MODE"))
    count = 0
    lines = iter(group)
    while batch := list(islice(lines, ROWS_AT_ONCE)):
        rows = [_values(shop_id, model, columns, line) for line in batch]
        if model is Member:
            _free(session, [row["id"] for row in rows])
        session.execute(insert(model), rows)
        count += len(rows)
    if model is Member and session.get_bind().dialect.name == "postgresql":
        session.execute(
            text("SELECT setval(pg_get_serial_sequence('member', 'id'), (SELECT max(id) FROM member), true)")
        )
    return count


def _values(shop_id: int, model: type[SQLModel], columns: list[str], line: _Line) -> dict[str, Any]:
    number, told = line
    table = table_of(model)
    try:
        read = dict(zip(columns, told["row"], strict=True))
        values = {name: value_of(table.c[name], value) for name, value in read.items()}
    except (ValueError, TypeError, ArithmeticError):
        raise RestoreRefused(f"line {number} does not fit {table.name}") from None
    for column in written_columns(model):
        if column.name not in values:
            values[column.name] = _younger(model, column.name, values)
    values["shop_id"] = shop_id
    if model is LedgerEntry:
        values["id"] = entry_id(shop_id, _entry(values))
    return values


def _younger(model: type[SQLModel], name: str, values: Mapping[str, Any]) -> Any:
    """The value of a column that is younger than the file: what its migration gave to the rows that there were."""
    if model is Member and name == "gone_at":
        return values["updated_at"] if values["state"] in _GONE else None
    return model.model_fields[name].get_default(call_default_factory=True)


def _entry(values: Mapping[str, Any]) -> Entry:
    return Entry(
        kind=values["kind"],
        points=values["points"],
        source=Source(values["source_kind"], values["source_ref"]),
        rule=values["rule"],
        sequence=values["sequence"],
        program_version=values["program_version"],
        reason=values["reason"],
        why=values["why"],
        occurred_at=values["occurred_at"],
    )


def _free(session: Session, member_ids: list[int]) -> None:
    taken = session.execute(
        select(func.count()).select_from(Member).where(col(Member.id).in_(member_ids))
    ).scalar_one()
    if taken:
        raise RestoreRefused(
            "this database has other members under the same numbers, and the books are sealed with them:"
            " restore the shop into a database of its own"
        )


def _link(session: Session, shop_id: int, name: str, group: Iterable[_Line]) -> None:
    model = BY_NAME[name]
    table = table_of(model)
    (key,) = table.primary_key.columns
    names = {column.name for column in self_links(model)}
    for column, lines in groupby((line[1]["link"] for line in group), key=itemgetter(1)):
        if column not in names:
            raise RestoreRefused(f"{name} has no {column} that points at its own rows")
        # The numbers are those of the file: another shop's rows may have them.
        point = update(table).where(table.c.shop_id == shop_id, key == bindparam("which"))
        while batch := list(islice(lines, ROWS_AT_ONCE)):
            told = [{"which": row[0], "where": row[2]} for row in batch]
            session.execute(point.values({column: bindparam("where")}), told)


def _strangers(session: Session, shop_id: int) -> Iterator[str]:
    """The tables in which rows of the shop point at another shop's."""
    for model in KEPT:
        table = table_of(model)
        for key in (key for column in table.columns for key in column.foreign_keys):
            there = key.column.table.alias()
            if "shop_id" not in there.c:
                continue
            pointed = table.join(there, key.parent == there.c[key.column.name])
            outside = select(table.c.shop_id).select_from(pointed).where(there.c.shop_id != shop_id)
            if session.execute(outside.where(table.c.shop_id == shop_id).limit(1)).first():
                yield table.name


def _proved(
    session: Session, shop: Shop, told: Mapping[str, Any], counts: Mapping[str, int], *, now: datetime
) -> Restored:
    """The books as they are here now, which must be right and be those of the file."""
    assert shop.id is not None
    session.flush()
    for name in _strangers(session, shop.id):
        raise RestoreRefused(f"{name} has rows that are about somebody of another shop")
    for problem in verify.verify(session, shop.id):
        raise RestoreRefused(f"the books of the file are not right: {problem}")
    found = verify.digest(session, shop.id)
    if asdict(found) != dict(told):
        raise RestoreRefused("the books of the file are not those that its first line seals")
    if shop.uninstalled_at is None:
        outbox.tell_balances(session, shop.id, occasion=f"restore:{now.isoformat()}", now=now)
    return Restored(shop.id, shop.domain, dict(counts), found)
