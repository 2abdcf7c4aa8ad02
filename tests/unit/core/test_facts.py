"""Facts as values."""

from loyalty.core.facts import Identity


class TestIdentity:
    def test_nobody(self):
        """Neither an id nor an address is nobody; an empty address names nobody either."""
        assert Identity(None, None).is_nobody()
        assert Identity(None, "").is_nobody()

    def test_somebody(self):
        """An id or an address is enough."""
        assert not Identity(0, None).is_nobody()
        assert not Identity(None, "rosa@fernandfig.shop").is_nobody()
