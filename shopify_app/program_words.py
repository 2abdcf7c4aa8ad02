"""What the program gives and asks, in plain words: one line for a way to earn, a reward, a tier, a referral. For shoppers (in their
language) and merchants (in English) alike, so it names nothing that only one of them may know."""

from collections.abc import Iterable
from decimal import Decimal

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
from shopify_app.phrases import ENGLISH, Language

_TIMES = {1: "times_1", 2: "times_2"}


class Words:
    """The words of one program, its money as the shop writes it (unless the program says otherwise)."""

    def __init__(
        self, program: Program, currency: str, shop_format: str = "", *, language: Language = ENGLISH
    ) -> None:
        self.program = program
        self.money = Money(currency, shop_format, program.currency).say
        self._in = language

    def points(self, points: int) -> str:
        """``100 points``."""
        return self._in.points(self.program.points_name, points)

    def rule(self, rule: Rule) -> str:
        """What a way to earn gives, and for what: ``1 point for every $1 spent``."""
        conditions = [*self._conditions(rule), *self._schedule(rule.schedule)]
        if rule.limit:
            conditions.append(self._limit(rule.limit))
        return self._in.join([self._gives(rule), *conditions])

    def campaign(self, campaign: Campaign) -> str:
        """``2× beans and 20 beans more for each order, for Gold, from December 1, 2026``. Only merchants read of campaigns."""
        gives = []
        if campaign.multiplier != 1:
            gives.append(f"{self._in.number(campaign.multiplier)}× {self.program.points_name.many}")
        if campaign.extra:
            gives.append(f"{self.points(campaign.extra)} more for each order")
        return self._in.join(
            [self._in.both(gives), *self._tiers(campaign.tiers), *self._schedule(campaign.schedule)]
        )

    def reward(self, reward: Reward) -> str:
        """What is to be known of a reward beside its title and price."""
        said = []
        if reward.kind == "incremental":
            said.append(
                self._in.say("step", money=self.money(reward.amount), points=self.points(reward.points))
            )
        if reward.minimum_subtotal:
            said.append(self._in.say("minimum", money=self.money(reward.minimum_subtotal)))
        if reward.products or reward.collections:
            said.append(self._in.say("selected"))
        if reward.expires_after_days:
            said.append(self._in.count("valid", reward.expires_after_days))
        said.extend(self._tiers(reward.tiers))
        if reward.limit:
            said.append(self._limit(reward.limit))
        text = self._in.join(said)
        return text[:1].upper() + text[1:]

    def threshold(self, tier: Tier) -> str:
        """How a tier is reached: ``Spend $500 in a calendar year``."""
        tiers = self.program.tiers
        assert tiers is not None
        if tier.threshold == 0:
            return self._in.say("everybody")
        match tiers.metric:
            case "points":
                what = self._in.say("earn", points=self.points(int(tier.threshold)))
            case "spent":
                what = self._in.say("spend", money=self.money(tier.threshold))
            case _:
                what = self._in.count("place", round(tier.threshold))
        match tiers.window:
            case "calendar_year":
                return self._in.say("in_year", what=what)
            case "rolling":
                return self._in.count("within", tiers.months, what=what)
        return what

    def perks(self, tier: Tier) -> list[str]:
        """What a tier is worth, beginning with what the program itself gives."""
        perks = []
        if tier.multiplier != 1:
            factor, many = self._in.number(tier.multiplier), self.program.points_name.many
            perks.append(self._in.say("multiplied", factor=factor, many=many))
        if tier.entry != Gift():
            perks.append(self._in.say("entering", gift=self.gift(tier.entry)))
        return [*perks, *tier.perks]

    def gift(self, gift: Gift) -> str:
        """``100 points and Free coffee``."""
        reward = self.program.reward(gift.reward) if gift.reward else None
        points = [self.points(gift.points)] if gift.points else []
        return self._in.both([*points, *([reward.title] if reward else [])])

    def _gives(self, rule: Rule) -> str:
        match rule:
            case OrderRule(way="order"):
                names = self.program.points_name
                rate = f"{self._in.number(rule.rate)} {names.one if rule.rate == 1 else names.many}"
                return self._in.say("rate", points=rate, money=self.money(Decimal(1)))
            case OrderRule(way="order_value_goal"):
                return self._in.say(
                    "large_order", points=self.points(rule.points), money=self.money(rule.minimum)
                )
            case OrderRule():
                return self._in.say("each_order", points=self.points(rule.points))
            case GoalRule(way="order_count_goal"):
                return self._in.count("after_orders", round(rule.goal), points=self.points(rule.points))
            case GoalRule():
                return self._in.say(
                    "after_spending", points=self.points(rule.points), money=self.money(rule.goal)
                )
            case BirthdayRule():
                return self.gift(Gift(rule.points, rule.reward))
            case ActionRule():
                return self.points(rule.points)
        raise TypeError(type(rule))

    def _conditions(self, rule: Rule) -> Iterable[str]:
        if isinstance(rule, OrderRule):
            if rule.minimum and rule.way != "order_value_goal":
                yield self._in.say("from_money", money=self.money(rule.minimum))
            if not rule.goods.is_everything:
                yield self._in.say("selected")
        yield from self._tiers(rule.tiers)

    def _tiers(self, keys: frozenset[str]) -> Iterable[str]:
        if keys:
            ladder = self.program.tiers.ladder if self.program.tiers else ()
            titles = [tier.title for tier in ladder if tier.key in keys]
            yield self._in.say("for_tiers", tiers=self._in.both(titles))

    def _schedule(self, schedule: Schedule) -> Iterable[str]:
        begins, ends = (self._in.day(day) if day else "" for day in (schedule.begins, schedule.ends))
        if begins and ends:
            yield self._in.say("between", begins=begins, ends=ends)
        elif begins:
            yield self._in.say("from_day", begins=begins)
        elif ends:
            yield self._in.say("until_day", ends=ends)

    def _limit(self, limit: Limit) -> str:
        times = self._in.say(_TIMES.get(limit.times, "times_n"), count=self._in.number(limit.times))
        if limit.per == "lifetime":
            return self._in.say("once" if limit.times == 1 else "at_most", times=times)
        if limit.per == "days":
            assert limit.days is not None
            return self._in.count("limit_days", limit.days, times=times)
        return self._in.say(f"limit_{limit.per}", times=times)
