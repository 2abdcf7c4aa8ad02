"""The whole ledger at once: proving it, exporting it, and building the members' figures anew from it. It posts nothing."""
