"""Which entries of a batch an error document blames. Batches are answered all or nothing, so the blamed ones must be found."""

import re
from collections.abc import Mapping

from klaviyo_oauth.answers import Reply

_ENTRY = re.compile(r"/data/attributes/(?:events-bulk-create|profiles)/data/(\d+)(?:/|$)")


def blamed(reply: Reply, size: int) -> Mapping[int, str]:
    """Index in the batch to reason. Empty when the errors name no entry: then nobody knows which one it was."""
    found: dict[int, str] = {}
    for error in reply.errors:
        match = _ENTRY.match(error.pointer or "")
        if match and int(match.group(1)) < size:
            found.setdefault(int(match.group(1)), error.summary)
    return found
