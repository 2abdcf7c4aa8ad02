"""Registers the operators' commands on Flask's command line. The commands themselves are in ``commands/``, a module per noun."""

from flask import Flask

import commands.member_imports  # adds its commands to ``members``
import commands.member_merges  # adds its commands to ``members``
import commands.preview  # adds its command to ``program``
import commands.whole_shop  # noqa: F401  # adds its commands to ``shops``
from commands.calendar import calendar
from commands.doctor import doctor
from commands.klaviyo import klaviyo
from commands.ledger import ledger
from commands.members import members
from commands.processes import cron, db, worker
from commands.program import program
from commands.referrals import referrals
from commands.reports import reports
from commands.secrets import secrets
from commands.shops import shops

COMMANDS = (
    calendar,
    cron,
    db,
    doctor,
    klaviyo,
    ledger,
    members,
    program,
    referrals,
    reports,
    secrets,
    shops,
    worker,
)


def register(app: Flask) -> None:
    """Add every command to the application's command line."""
    for command in COMMANDS:
        app.cli.add_command(command)
