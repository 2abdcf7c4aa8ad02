"""Bytes become text whichever program wrote them, and what is no text is refused."""

import io
import tempfile

import pytest

from loyalty.member_file import Undecodable, encoding, examine

TEXT = "email,points,first_name\r\nada@fernandfig.shop,120,Émilie\r\nbo@fernandfig.shop,3,Zoë\r\n"
READ = TEXT.replace("\r\n", "\n")


def read(data: bytes) -> str:
    """The file as it is stored."""
    file = io.BytesIO(data)
    return b"".join(examine(file).pieces(file)).decode()


class TestExamine:
    @pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
    def test_encodings(self, codec):
        """Every encoding that spreadsheets write gives the same text, without marks."""
        assert read(TEXT.encode(codec)) == READ

    @pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
    def test_line_ends(self, ends):
        """Lines end alike, whatever ended them."""
        assert read(READ.replace("\n", ends).encode()) == READ

    def test_digest(self):
        """The digest is that of the bytes: the same file is known again."""
        assert examine(io.BytesIO(b"a\n")).digest == examine(io.BytesIO(b"a\n")).digest
        assert examine(io.BytesIO(b"a\n")).digest != examine(io.BytesIO(b"a\r\n")).digest

    @pytest.mark.parametrize("data", [b"", b"PK\x03\x04" + bytes(range(256)) * 40, b"a,b\n\x00\x01\x02"])
    def test_no_text(self, data):
        """An empty file and a workbook are told apart from text."""
        with pytest.raises(Undecodable):
            examine(io.BytesIO(data))

    def test_late_byte(self):
        """One byte of another encoding at the end of a long file decides for all of it."""
        line = "ada@fernandfig.shop,1,Ada\n"
        data = (line * 30_000).encode() + "zoe@fernandfig.shop,1,Zoë\n".encode("cp1252")
        assert read(data).endswith("Zoë\n")


class TestPieces:
    def test_whole_lines(self, monkeypatch):
        """Every piece ends where a line ends, and together they are the file."""
        monkeypatch.setattr(encoding, "PIECE", 7)
        with tempfile.TemporaryFile() as file:
            file.write(TEXT.encode())
            pieces = list(examine(file).pieces(file))
        assert len(pieces) > 1
        assert all(piece.endswith(b"\n") for piece in pieces)
        assert b"".join(pieces).decode() == READ

    def test_last_line_open(self):
        """A last line without an end is a line."""
        assert read(b"email\nada@fernandfig.shop") == "email\nada@fernandfig.shop"
