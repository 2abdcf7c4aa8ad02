"""Records keep their line numbers, and a broken line costs itself alone."""

from loyalty.member_file import Broken, Record, Table
from loyalty.member_file.table import LONGEST_LINE


def records(text: str, delimiter: str = ",", before: int = 0) -> list[Record | Broken]:
    """The records of a text."""
    return list(Table(text.splitlines(keepends=True), delimiter, before=before))


class TestTable:
    def test_lines(self):
        """A record says on which line it begins, also after a cell with a line end in it."""
        found = records('a,b\n"c\nd",e\nf,g\n')
        assert found == [Record(1, 1, ("a", "b")), Record(2, 2, ("c\nd", "e")), Record(4, 1, ("f", "g"))]

    def test_goes_on(self):
        """Reading goes on at any record's end with the right numbers."""
        assert records("f,g\n", before=3) == [Record(4, 1, ("f", "g"))]

    def test_quotes(self):
        """Doubled marks and delimiters inside quotes are text."""
        assert records('"a ""b""; c";d\n', ";") == [Record(1, 1, ('a "b"; c', "d"))]

    def test_inner_mark(self):
        """A mark inside a quoted cell is named, and the next line is read."""
        found = records('"a"b,c\nd,e\n')
        assert found == [
            Broken(1, "a quotation mark stands inside a quoted cell: write it twice"),
            Record(2, 1, ("d", "e")),
        ]

    def test_never_closed(self):
        """A mark that is never closed costs one line, not the rest of the file."""
        found = records('"a,b\n' + "".join(f"x{number},y\n" for number in range(200)))
        assert found[0] == Broken(1, "a quotation mark is opened and not closed")
        assert [record.line for record in found[1:]] == list(range(2, 202))

    def test_never_closed_at_the_end(self):
        """The same at the end of the file."""
        found = records('a,b\n"c,d\ne,f\n')
        assert found == [
            Record(1, 1, ("a", "b")),
            Broken(2, "a quotation mark is opened and not closed"),
            Record(3, 1, ("e", "f")),
        ]

    def test_endless_line(self):
        """A line that is far too long is given up."""
        assert records("x" * (LONGEST_LINE + 1) + "\na,b\n") == [
            Broken(1, "the line is too long"),
            Record(2, 1, ("a", "b")),
        ]
