"""The transaction that links a shop, by either road, beside others that do so in the same moment."""

from collections.abc import Callable

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from klaviyo_oauth.connections import AccountTaken
from loyalty.runtime import Runtime


def link(runtime: Runtime, write: Callable[[Session], None]) -> bool:
    """Run ``write`` in a transaction of its own. False when the account belongs to another shop."""
    for _ in range(2):
        try:
            with runtime.transaction() as session:
                write(session)
        except AccountTaken:
            return False
        except IntegrityError:
            # Another request linked in this very moment. Now its row can be seen, and it may be this shop's own: pressed twice.
            continue
        return True
    return False
