"""What an answer means for a message, in one place."""

from klaviyo_oauth import connections
from klaviyo_oauth.answers import Answer, NotConnected, Reply, Trouble, Wait
from loyalty.delivery import Delivered, Dropped, Later, Outcome, Refused

# A missing scope is mended by the merchant, not by trying often.
_AFTER_FORBIDDEN = 300.0
_WHILE_DISCONNECTED = 300.0
# While the app is removed nothing of the shop's is sent, whenever it is due; once it is back, nothing needs to wait.
_WHILE_UNINSTALLED = 1.0
_AFTER_SERVER_ERROR = 2.0
_LONGEST = 3_600.0
# Any other refusal (a retired revision, a moved address) is about how we speak, and every message would meet it.
_BLAMES_THE_MESSAGE = frozenset((400, 413, 422))


def not_connected(who: NotConnected) -> Dropped | Later:
    """News of a shop without a link has nobody to go to; news of a link that broke waits for it to be mended."""
    if who.problem is None:
        return Dropped("not_connected")
    seconds = _WHILE_UNINSTALLED if who.problem == connections.UNINSTALLED else _WHILE_DISCONNECTED
    return Later(seconds, f"disconnected: {who.problem}", counts=False)


def outcome(answer: Answer, *, attempts: int) -> Outcome:
    """The outcome of one message that was sent alone. ``attempts`` lets the wait after a server error double."""
    match answer:
        case NotConnected():
            return not_connected(answer)
        case Wait(seconds=seconds, reason=reason):
            return Later(seconds, reason, counts=False)
        case Trouble(seconds=seconds, reason=reason, status=status):
            return Later(seconds, reason, status, counts=False)
        case Reply():
            return _of_reply(answer, attempts)


def _of_reply(reply: Reply, attempts: int) -> Outcome:
    status = reply.status
    if reply.ok:
        return Delivered(status)
    if status == 403:
        return Later(_AFTER_FORBIDDEN, f"forbidden: {reply.reason}", status, counts=False)
    if status >= 500:
        wait = min(_AFTER_SERVER_ERROR * 2 ** min(attempts, 12), _LONGEST)
        return Later(wait, reply.reason, status)
    if status == 409:
        return Later(_AFTER_SERVER_ERROR, reply.reason, status)
    if status in _BLAMES_THE_MESSAGE:
        return Refused(reply.reason, status)
    return Later(_AFTER_FORBIDDEN, reply.reason, status, counts=False)
