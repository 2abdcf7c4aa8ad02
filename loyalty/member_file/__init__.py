"""A file of members as people's spreadsheets and other loyalty apps write it: how it is encoded, which columns it has, what is wrong with
each line. It reads as a stream and knows no database; it decides nothing about points.
"""

from loyalty.member_file.columns import FORMATS, Layout, NotAMemberFile
from loyalty.member_file.encoding import Text, Undecodable, examine
from loyalty.member_file.rows import FileRow, Mistake, Rules, read_row
from loyalty.member_file.table import Broken, Record, Table
from loyalty.member_file.writing import HEADER, member_line

__all__ = [
    "FORMATS",
    "HEADER",
    "Broken",
    "FileRow",
    "Layout",
    "Mistake",
    "NotAMemberFile",
    "Record",
    "Rules",
    "Table",
    "Text",
    "Undecodable",
    "examine",
    "member_line",
    "read_row",
]
