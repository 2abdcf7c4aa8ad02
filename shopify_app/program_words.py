"""What the program gives and asks, in plain words: one line for a way to earn, a reward, a tier, a referral. For shoppers and merchants
alike, so it names nothing that only one of them may know."""

from collections.abc import Iterable
from decimal import Decimal

from babel.dates import format_date

from loyalty.core.program import (
    ActionRule,
    BirthdayRule,
    Campaign,
    Gift,
    GoalRule,
    Limit,
    OrderRule,
    Program,
    Reward,
    Rule,
    Schedule,
    Tier,
)
from loyalty.statement.money import Money

_LOCALE = "en_US"
_DAY = "MMMM d, y"
_METRICS = {"points": "Earn {}", "spent": "Spend {}", "orders": "Place {}"}


class Words:
    """The words of one program, its money as the shop writes it (unless the program says otherwise)."""

    def __init__(self, program: Program, currency: str, shop_format: str = "") -> None:
        self.program = program
        self.money = Money(currency, shop_format, program.currency).say
        self.points = program.points_name.format

    def rule(self, rule: Rule) -> str:
        """What a way to earn gives, and for what: ``1 point for every $1 spent``."""
        conditions = [*self._conditions(rule), *self._schedule(rule.schedule)]
        if rule.limit:
            conditions.append(_limit(rule.limit))
        return ", ".join([self._gives(rule), *conditions])

    def campaign(self, campaign: Campaign) -> str:
        """``2× beans and 20 beans more for each order, for Gold, from December 1, 2026``."""
        gives = []
        if campaign.multiplier != 1:
            gives.append(f"{_plain(campaign.multiplier)}× {self.program.points_name.many}")
        if campaign.extra:
            gives.append(f"{self.points(campaign.extra)} more for each order")
        return ", ".join(
            [" and ".join(gives), *self._tiers(campaign.tiers), *self._schedule(campaign.schedule)]
        )

    def reward(self, reward: Reward) -> str:
        """What is to be known of a reward beside its title and price."""
        said = []
        if reward.kind == "incremental":
            said.append(f"{self.money(reward.amount)} for every {self.points(reward.points)}")
        if reward.minimum_subtotal:
            said.append(f"on orders of {self.money(reward.minimum_subtotal)} or more")
        if reward.products or reward.collections:
            said.append("on selected products")
        if reward.expires_after_days:
            days = reward.expires_after_days
            said.append(f"valid for {days:,} {'day' if days == 1 else 'days'}")
        said.extend(self._tiers(reward.tiers))
        if reward.limit:
            said.append(_limit(reward.limit))
        text = ", ".join(said)
        return text[:1].upper() + text[1:]

    def threshold(self, tier: Tier) -> str:
        """How a tier is reached: ``Spend $500 in a calendar year``."""
        tiers = self.program.tiers
        assert tiers is not None
        if tier.threshold == 0:
            return "For every member"
        many = {
            "points": self.points(int(tier.threshold)),
            "spent": self.money(tier.threshold),
            "orders": f"{tier.threshold:,.0f} {'order' if tier.threshold == 1 else 'orders'}",
        }[tiers.metric]
        window = {
            "lifetime": "",
            "calendar_year": " in a calendar year",
            "rolling": " within 1 month" if tiers.months == 1 else f" within {tiers.months} months",
        }[tiers.window]
        return _METRICS[tiers.metric].format(many) + window

    def perks(self, tier: Tier) -> list[str]:
        """What a tier is worth, beginning with what the program itself gives."""
        perks = []
        if tier.multiplier != 1:
            perks.append(f"{_plain(tier.multiplier)}× {self.program.points_name.many} on orders")
        if tier.entry != Gift():
            perks.append(f"{self.gift(tier.entry)} on entering")
        return [*perks, *tier.perks]

    def gift(self, gift: Gift) -> str:
        """``100 points and Free coffee``."""
        reward = self.program.reward(gift.reward) if gift.reward else None
        points = [self.points(gift.points)] if gift.points else []
        return " and ".join([*points, *([reward.title] if reward else [])])

    def _gives(self, rule: Rule) -> str:
        match rule:
            case OrderRule(way="order"):
                many = self.program.points_name
                name = many.one if rule.rate == 1 else many.many
                return f"{_plain(rule.rate)} {name} for every {self.money(Decimal(1))} spent"
            case OrderRule(way="order_value_goal"):
                return f"{self.points(rule.points)} for an order of {self.money(rule.minimum)} or more"
            case OrderRule():
                return f"{self.points(rule.points)} for each order"
            case GoalRule(way="order_count_goal"):
                return f"{self.points(rule.points)} after {rule.goal:,.0f} orders"
            case GoalRule():
                return f"{self.points(rule.points)} after spending {self.money(rule.goal)}"
            case BirthdayRule():
                return self.gift(Gift(rule.points, rule.reward))
            case ActionRule():
                return self.points(rule.points)
        raise TypeError(type(rule))

    def _conditions(self, rule: Rule) -> Iterable[str]:
        if isinstance(rule, OrderRule):
            if rule.minimum and rule.way != "order_value_goal":
                yield f"from {self.money(rule.minimum)}"
            if not rule.goods.is_everything:
                yield "on selected products"
        yield from self._tiers(rule.tiers)

    def _tiers(self, keys: frozenset[str]) -> Iterable[str]:
        if keys:
            ladder = self.program.tiers.ladder if self.program.tiers else ()
            yield "for " + " and ".join(tier.title for tier in ladder if tier.key in keys)

    def _schedule(self, schedule: Schedule) -> Iterable[str]:
        begins, ends = (
            format_date(day, _DAY, locale=_LOCALE) if day else "" for day in (schedule.begins, schedule.ends)
        )
        if begins and ends:
            yield f"{begins} to {ends}"
        elif begins:
            yield f"from {begins}"
        elif ends:
            yield f"until {ends}"


def _limit(limit: Limit) -> str:
    times = {1: "once", 2: "twice"}.get(limit.times, f"{limit.times:,} times")
    if limit.per == "lifetime":
        return times if limit.times == 1 else f"at most {times}"
    if limit.per == "days":
        return f"at most {times} in {limit.days} {'day' if limit.days == 1 else 'days'}"
    return f"at most {times} a {limit.per}"


def _plain(number: Decimal) -> str:
    return f"{number.normalize():,f}"
