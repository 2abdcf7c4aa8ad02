"""Why something about a referral cannot be done."""


class ReferralRefused(Exception):
    """``code``: no_referrals (the program has none, or none to be taken up now), unknown_code, not_available (this member cannot bring
    friends), out_of_schedule, wrong_tier, too_many or not_found."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
