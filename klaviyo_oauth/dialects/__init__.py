"""The names under which Klaviyo is told of things: ours, and those of the programs that merchants moved from."""

from klaviyo_oauth.dialects.choice import DIALECTS, Choice, Event, Shown, choice
from klaviyo_oauth.dialects.dialect import Dialect, Metric, Person, Property, Telling
from klaviyo_oauth.dialects.laurel import LAUREL

OURS = Choice()

__all__ = [
    "DIALECTS",
    "LAUREL",
    "OURS",
    "Choice",
    "Dialect",
    "Event",
    "Metric",
    "Person",
    "Property",
    "Shown",
    "Telling",
    "choice",
]
