"""Why something about a referral cannot be done."""


class ReferralRefused(Exception):
    """``code``: no_referrals (the program has none), unknown_code, not_available (this member cannot bring friends), too_many or
    not_found."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
