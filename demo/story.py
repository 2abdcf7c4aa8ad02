"""The story: acts in their order. It stops at the first thing that does not hold."""

import time
from collections.abc import Callable
from typing import Any

from demo import growing, opening, proof, shopping
from demo.cast import Cast
from demo.stage import Stage
from demo.telling import Teller

ACTS: tuple[tuple[str, Callable[[Cast], None]], ...] = (
    ("A shop with customers from before the program", opening.customers_of_old),
    ("The merchant installs Laurel and opens it in the admin", opening.install),
    ("The merchant connects Klaviyo", opening.connect),
    ("The merchant presses Sync customer data", opening.sync),
    ("Wren opens an account at the storefront", shopping.sign_up),
    ("Wren orders, pays, and sends something back", shopping.order),
    ("A customer of old buys, and a new one cancels", shopping.others),
    ("Wren writes a review, and Klaviyo tells of it", shopping.review_told),
    ("Wren rates something while Klaviyo's webhook is off", shopping.review_found),
    ("Wren redeems her points at the storefront", shopping.redeem),
    ("Wren uses the code", shopping.use_code),
    ("The shop takes up a whole program", growing.take_up_program),
    ("Wren brings a friend", growing.bring_a_friend),
    ("Two weeks pass", growing.let_time_pass),
    ("Everything is delivered again, shuffled", proof.repeats),
    ("Somebody forges a webhook", proof.forged),
)
STARTING = "Starting everything on this machine"
LOOKING = "Looking at everything once more"
STEPS = len(ACTS) + 2


def start(stage: Stage, teller: Teller) -> None:
    """Bring everything up, saying how it goes."""
    began = time.monotonic()
    teller.step(STARTING)
    teller.say(f"data and logs: {stage.directory}")
    sandbox = stage.start_sandbox()
    teller.say("making the database")
    stage.command("db", "upgrade")
    web = stage.start_web()
    stage.start_worker()
    stage.start_cron()
    stage.wait_sandbox(sandbox)
    teller.held(f"the local Shopify at {stage.at.shopify}, its storefront at {stage.at.storefront}")
    teller.held(f"the local Klaviyo at {stage.at.klaviyo}")
    stage.wait_web(web)
    teller.held(f"the app at {stage.at.app}, with a worker and the cron ({time.monotonic() - began:.1f} s)")


def play(stage: Stage, teller: Teller) -> dict[str, Any]:
    """Play every act; the figures of the summary. Raises what ``teller`` and ``stage`` raise when something does not hold."""
    cast = Cast(stage, teller)
    for title, act in ACTS:
        teller.step(title)
        act(cast)
        stage.check_alive()
    teller.step(LOOKING)
    return proof.look_at_everything(cast)
