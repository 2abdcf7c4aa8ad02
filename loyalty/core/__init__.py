"""The rules of a loyalty program as plain Python: facts in, ledger entries and news out. Standard library only; no clock, no I/O."""
