"""One thing that is wrong with the ledger."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and where: at an entry, at a member, or (without either) in the shop. It names no person."""

    member_id: int | None
    entry_id: str | None
    what: str

    def __str__(self) -> str:
        if self.entry_id is not None:
            return f"member {self.member_id}: entry {self.entry_id} {self.what}"
        return f"member {self.member_id}: {self.what}" if self.member_id is not None else self.what
