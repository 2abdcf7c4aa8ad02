"""The scenarios, played in memory: sums that were worked out by hand, and the decisions that have to come to them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from loyalty.core.calendar import Era
from loyalty.core.decide import (
    ActionRefused,
    AdjustmentRefused,
    Decision,
    RewardRefused,
    decide_action,
    decide_adjustment,
    decide_reward_request,
)
from loyalty.core.document import parse_program
from loyalty.core.facts import ActionDone, PointsAdjusted, RewardRequested
from loyalty.core.news import EXPIRING, TIER_CHANGED
from loyalty.core.outlook import outlook
from loyalty.core.replay import Replay
from tests.scenarios.scenario import Scenario, Teller, scenarios
from tests.unit.core.makers import later

ALL = list(scenarios())
BEGAN = later(days=-3650)


class Player:
    """Plays the steps of one scenario on a replay."""

    def __init__(self, scenario: Scenario, *, is_told: bool = True) -> None:
        program = replace(parse_program(scenario.document, version=1), is_told=is_told)
        self.replay = Replay(program, earning_since=BEGAN)
        self.eras = (Era(BEGAN, program),)
        self.teller = Teller()
        self.refused: str | None = None
        self.told = 0
        self.redeemed: list[tuple[str, Any]] = []

    def play(self, step: Mapping[str, Any], number: int) -> None:
        """Let time pass up to the step, and then do it."""
        self.refused, self.told = None, len(self.replay.news)
        at, fact = step["at"], self.teller.fact(step)
        self.replay.wait(self.eras, until=at)
        if isinstance(fact, ActionDone):
            self._refusable(lambda: decide_action(self.replay.standing, fact, self.replay.program, at=at))
        if fact is not None:
            self.replay.happen(fact, self.eras, at=at)
        elif "redeem" in step:
            self._refusable(lambda: self._redeem(step, number))
        elif "adjust" in step:
            adjusted = PointsAdjusted(step["adjust"], f"a{number}", "Note", "staff-9", at)
            self._refusable(
                lambda: self.replay.apply(
                    decide_adjustment(self.replay.standing, adjusted, self.replay.program)
                )
            )

    def _redeem(self, step: Mapping[str, Any], number: int) -> None:
        request = RewardRequested(
            reward=step["redeem"],
            request_key=f"key-{number}",
            issue_id=f"issue-{number}",
            requested_at=step["at"],
            points=step.get("points"),
        )
        taken = [at for reward, at in self.redeemed if reward == step["redeem"]]
        _, _, entry = decide_reward_request(self.replay.standing, request, self.replay.program, taken=taken)
        self.replay.apply(Decision(entries=(entry,)))
        self.redeemed.append((step["redeem"], step["at"]))

    def _refusable(self, act: Any) -> None:
        try:
            act()
        except (ActionRefused, AdjustmentRefused, RewardRefused) as refused:
            self.refused = getattr(refused, "reason", None) or getattr(refused, "code", None) or str(refused)

    def found(self, at: Any) -> dict[str, Any]:
        """What a step may expect, as it is."""
        standing = self.replay.standing
        ahead = outlook(standing, self.replay.program, at)
        return {
            "balance": standing.balance,
            "pending": standing.held,
            "tier": standing.tier or "",
            "earned": standing.lifetime_earned,
            "entries": len(self.replay.entries),
            "expires": ahead.expires_at,
            "expiring": ahead.expiring_points,
            "told": sorted(news.kind for news in self.replay.news[self.told :]),
            "refused": self.refused,
        }


@pytest.mark.parametrize("scenario", ALL, ids=[scenario.title for scenario in ALL])
def test_scenario(scenario: Scenario) -> None:
    """The story ends at the numbers that were worked out by hand, after every step, and whether or not anybody is told of it."""
    told, untold = Player(scenario), Player(scenario, is_told=False)
    for number, step in enumerate(scenario.steps):
        told.play(step, number)
        found = told.found(step["at"])
        expected = step.get("expect", {})
        assert expected == {name: found[name] for name in expected}, f"step {number + 1}"

        untold.play(step, number)
        silent = untold.found(step["at"])
        assert not {EXPIRING, TIER_CHANGED}.intersection(silent["told"]), f"step {number + 1}"
        assert found | {"told": None} == silent | {"told": None}, f"step {number + 1}"


def test_enough() -> None:
    """There are at least sixty stories, and no two of one title."""
    assert len(ALL) >= 60
    assert len({scenario.title for scenario in ALL}) == len(ALL)
