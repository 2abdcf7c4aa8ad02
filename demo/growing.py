"""The acts in which the shop takes up a whole program: tiers, friends, and time. The sums are worked out by hand beside them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from demo.cast import JUNO, WREN, Cast
from demo.people import Shopper
from demo.stage import SHOP
from demo.telling import wait_for

COFFEE = Path(__file__).parents[1] / "examples" / "coffee.toml"
HOLD_DAYS = 14


def take_up_program(cast: Cast) -> None:
    """The merchant puts the coffee program in force; everybody is brought up to date, and Wren's next order earns by it: 18 points."""
    cast.stage.command("program", "apply", "--shop", SHOP, str(COFFEE))
    job = cast.job_done("program_refresh")
    cast.teller.say(f"{job['done']} members were brought up to date")
    cast.teller.expect("Wren's points, which no rule of today touches", 231, cast.wren.balance())
    # 18.00 x 1, and no collection of whole beans.
    cast.wren.buy({"terracotta-pot": 1})
    cast.teller.eventually("Wren's points after a pot", 249, cast.wren.balance)
    cast.teller.eventually(
        "her tier", "Taster", lambda: (cast.wren.member()["member"]["tier"] or {}).get("title")
    )


def bring_a_friend(cast: Cast) -> None:
    """Juno claims Wren's invitation and buys a fig with the code: 15% off 64.00 are 54.40, so 54 points, and 50 for the account."""
    code = cast.wren.referral()["referral"]["code"]
    juno = Shopper(cast.stage.at.storefront, JUNO)
    claim = juno.claim(code)
    made = wait_for(lambda: juno.claimed(claim["id"]), lambda found: found["reward"]["code"] is not None, 30)
    cast.teller.say(f"Juno's code: {made['reward']['code']}")
    juno.sign_up("Juno", "Abara")
    juno.buy({"fiddle-leaf-fig": 1}, code=made["reward"]["code"])
    cast.teller.eventually("Juno's points", 104, juno.balance)
    pending = lambda: cast.wren.member()["member"]["pending"]  # noqa: E731  # a look, named for what it sees
    cast.teller.eventually("Wren's points that wait for Juno's return window", 150, pending)
    cast.teller.expect("Wren's points that she can spend", 249, cast.wren.balance())
    juno.close()


def let_time_pass(cast: Cast) -> None:
    """After the hold the points for Juno can be spent: 249 + 150. Letting the same time pass again changes nothing."""
    now = datetime.now(UTC)
    then = _wound_on(now).isoformat(timespec="seconds")
    for _ in range(2):
        cast.stage.command("calendar", "run", "--shop", SHOP, "--at", then, "--ahead")
        cast.teller.expect(f"Wren's points after {HOLD_DAYS} days", 399, cast.wren.balance())
    cast.teller.eventually("the points that a theme shows", 399, lambda: cast.shown_points(WREN))
    cast.teller.say(what_was_wound_on(now))


def what_was_wound_on(now: datetime) -> str:
    """Why the figures of the pages differ after the story: balances have what a report by day does not count yet."""
    day = _wound_on(now).strftime("%B %d, %Y")
    return (
        f"Laurel's calendar now stands at {day}, the clock does not: balances and points outstanding have Wren's 150 for Juno, "
        "days and months count them as pending until then."
    )


def _wound_on(now: datetime) -> datetime:
    return now + timedelta(days=HOLD_DAYS + 1)
