"""The program's page: everything in it at a glance, each thing with the way to its form."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from flask import Blueprint, jsonify, request
from flask.wrappers import Response

from loyalty.core.document import ROUNDINGS, parse_program
from loyalty.core.document.kinds import WRONG
from loyalty.core.document.mistakes import Notes
from loyalty.core.document.shape import GENERAL, WHOLE_PARTS
from loyalty.core.document.words import in_words, value_in_words
from loyalty.core.program import Program, Reward
from loyalty.statement import program as statement
from loyalty.statement.formats import Formats
from shopify_app.admin import program_edit, program_text, program_versions
from shopify_app.admin import program_parts as parts
from shopify_app.admin.page import Pages
from shopify_app.admin.program_parts import Part
from shopify_app.admin.program_saving import document_in_force, version_in_force
from shopify_app.program_words import Words

_LARGE, _SMALL = Decimal(12345), Decimal(5)
_RATE = next(field for field in Part("earn", sort="order").fields if field.name == "rate").kind


@dataclass(frozen=True, slots=True)
class Line:
    """One thing of the program: what it is called, what it is, and whether it is switched on."""

    path: str
    title: str
    detail: str
    is_on: bool
    note: str = ""


def add_routes(blueprint: Blueprint, pages: Pages) -> None:
    """``GET /program``, and everything below it."""

    @blueprint.get("/program")
    def show_program() -> Response:
        with pages.runtime.reading() as session:
            shop = pages.shop(session)
            document = document_in_force(session, shop.id or 0)
            version = version_in_force(session, shop.id or 0)
        # With everything on, so that what is switched off can be told in the same words.
        program = parse_program(_all_on(document), version=version or 0)
        words = Words(program, shop.currency, shop.money_format)
        return pages.render(
            "admin/program.html",
            shop,
            version=version,
            general=_general(document, pages.formats(shop)),
            earn=_ways(document, program, words),
            campaigns=_campaigns(document, program, words),
            rewards=_rewards(program, words),
            tiers=[(tier.title, words.threshold(tier), words.perks(tier)) for tier in program.tiers.ladder]
            if program.tiers
            else [],
            wholes=[_whole(name, document, words) for name in WHOLE_PARTS if name != "tiers"],
            many=program.points_name.many,
        )

    @blueprint.get("/program/example.json")
    def show_example() -> Response:
        with pages.runtime.reading() as session:
            shop = pages.shop(session)
            program = parse_program(document_in_force(session, shop.id or 0), version=0)
        asked = request.args
        text = example(asked.get("rate", ""), asked.get("rounding", ""), program, pages.formats(shop))
        return jsonify({"text": text})

    program_edit.add_routes(blueprint, pages)
    program_text.add_routes(blueprint, pages)
    program_versions.add_routes(blueprint, pages)


def example(rate: str, rounding: str, program: Program, formats: Formats) -> str:
    """What an order would earn at a rate, in a sentence."""
    # By the document's own check: ``1e-99999999`` is short to write and takes minutes to reckon with.
    exact = _RATE.read(rate.strip(), "", Notes())
    if exact is WRONG or rounding not in ROUNDINGS:
        return "Enter how many points an order earns, and an example appears here."
    points = statement.example_points(exact, rounding)
    return (
        f"An order of {formats.money(statement.EXAMPLE_AMOUNT)} earns {program.points_name.format(points)}."
    )


def _all_on(document: Mapping[str, Any]) -> dict[str, Any]:
    rules = {key: {**rule, "enabled": True} for key, rule in parts.keyed(document, "earn").items()}
    campaigns = [{**campaign, "enabled": True} for campaign in parts.keyed(document, "campaigns").values()]
    return {**document, "earn": rules, "campaigns": campaigns}


def _ways(document: Mapping[str, Any], program: Program, words: Words) -> list[Line]:
    return [
        Line(
            f"earn/{rule.key}",
            rule.title,
            words.rule(rule),
            document["earn"][rule.key].get("enabled", True),
            parts.WAYS[rule.way][0],
        )
        for rule in program.earning
    ]


def _rewards(program: Program, words: Words) -> list[Line]:
    return [
        Line(
            f"rewards/{reward.key}",
            reward.title,
            _price(reward, words),
            reward.listed,
            parts.KIND_NAMES[reward.kind],
        )
        for reward in program.rewards
    ]


def _price(reward: Reward, words: Words) -> str:
    price = words.points(reward.minimum_points or reward.points) if reward.listed else "Only given, not sold"
    more = words.reward(reward)
    return f"{price}. {more}" if more else price


def _campaigns(document: Mapping[str, Any], program: Program, words: Words) -> list[Line]:
    given = parts.keyed(document, "campaigns")
    return [
        Line(f"campaigns/{one.key}", one.title, words.campaign(one), given[one.key].get("enabled", True))
        for one in program.campaigns
    ]


def _general(document: Mapping[str, Any], formats: Formats) -> list[tuple[str, str]]:
    """What stands at the top of the document, by name and value."""
    said = []
    for field in Part(GENERAL).fields:
        given = document.get(field.name)
        if given is None and field.default is None:
            continue
        text = value_in_words(field.kind, field.default) if given is None else in_words(field.kind, given)
        if field.name == "points":
            text = f"{given['one']}, {given['many']}" if given else ""
        elif field.name == "point_value" and given is not None:
            text = formats.amounts.say(Decimal(str(given)))
        elif field.name == "currency":
            text = f"{formats.money(_LARGE)}, {formats.amounts.say(_SMALL)}"
        elif field.name == "basis":
            text = _basis(given or {})
        said.append((field.label, text))
    return said


def _basis(given: Mapping[str, Any]) -> str:
    names = {"tax": "tax", "shipping": "shipping", "gift_cards": "buying gift cards"}
    beside = [name for key, name in names.items() if given.get(key)]
    return ", ".join(["Goods as paid", *beside]) if beside else "Goods as paid, and nothing else"


def _whole(name: str, document: Mapping[str, Any], words: Words) -> Line:
    part, given = Part(name), document.get(name)
    if not given:
        return Line(name, part.label, "", is_on=False)
    on = given.get("enabled", True)
    program = parse_program({**document, name: {**given, "enabled": True}}, version=0)
    match name:
        case "referrals":
            assert program.referrals is not None
            friend = program.reward(program.referrals.friend)
            detail = f"The friend gets {friend.title if friend else ''}, the member {words.gift(program.referrals.advocate)}"
        case "expiry":
            assert program.expiry is not None
            months = f"{program.expiry.months} {'month' if program.expiry.months == 1 else 'months'}"
            detail = (
                f"All points after {months} without activity"
                if program.expiry.kind == "inactivity"
                else f"Each point after {months}"
            )
        case _:
            field = next(field for field in part.fields if field.name == "every")
            detail = in_words(field.kind, given["every"])
    return Line(name, part.label, detail, on)
