"""Brings members over from a file: upload, dry run, import, undo. Each of the three latter is a run of small pieces.

The file is kept in the database, in pieces, so that any machine's worker can go on with it; the pieces go when its lines have been read, and
what a line said goes when its member has it. Nothing is told to anybody as new. Every line settles once: its entry is named after the
batch and the line.
"""

from loyalty.member_import.checking import CHECK, check_step
from loyalty.member_import.importing import IMPORT, import_step
from loyalty.member_import.reading import (
    KINDS,
    ImportBusy,
    all_trouble,
    discard,
    latest,
    latest_run,
    mistakes,
    one,
    people_of,
    trouble_lines,
)
from loyalty.member_import.starting import AlreadyImported, NotReady, start_check, start_import, start_undo
from loyalty.member_import.undoing import UNDO, undo_step
from loyalty.member_import.uploading import LARGEST_FILE, UploadRefused, earlier, upload

STEPS = {CHECK: check_step, IMPORT: import_step, UNDO: undo_step}

__all__ = [
    "CHECK",
    "IMPORT",
    "KINDS",
    "LARGEST_FILE",
    "STEPS",
    "UNDO",
    "AlreadyImported",
    "ImportBusy",
    "NotReady",
    "UploadRefused",
    "all_trouble",
    "discard",
    "earlier",
    "latest",
    "latest_run",
    "mistakes",
    "one",
    "people_of",
    "start_check",
    "start_import",
    "start_undo",
    "trouble_lines",
    "upload",
]
