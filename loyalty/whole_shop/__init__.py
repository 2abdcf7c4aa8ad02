"""A whole shop as one file of JSON lines, and such a file as a shop again: the same members, the same books, the same seals.

A file is restored wholly or not at all, into a shop that is empty, and only when its books prove right afterwards. Members keep their numbers,
because every entry of the ledger is sealed with them; so a database that has these numbers for others already cannot take the file.
"""

from loyalty.whole_shop.restoring import Restored, RestoreRefused, restore
from loyalty.whole_shop.tables import KEPT, LEFT_OUT
from loyalty.whole_shop.writing import VERSION, shop_lines

__all__ = ["KEPT", "LEFT_OUT", "VERSION", "RestoreRefused", "Restored", "restore", "shop_lines"]
