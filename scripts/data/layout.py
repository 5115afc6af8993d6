"""What is said of a table's form beforehand: header, delimiter, quoting."""

from __future__ import annotations

from typing import NamedTuple, Sequence

from scripts.common.errors import UserError

DELIMITERS = {"comma": ",", "tab": "\t", "semicolon": ";", "pipe": "|"}
"""Names of the usual delimiters, which a command line may not be able to say."""
QUOTING = ("yes", "no")


class Layout(NamedTuple):
    """What is known of a table before it is looked at; None: found by looking.

    header: column names of a table without header line; delimiter: one letter or a key of DELIMITERS; quoting: yes
    where `"` encloses cells (two of them stand for one inside), no where it is a letter like any other.
    """

    header: Sequence[str] | None = None
    delimiter: str | None = None
    quoting: str | None = None

    def checked(self, name: str = "") -> Layout:
        """Return the layout with the delimiter as a letter. Raises `UserError` naming the key that is wrong."""
        letter = DELIMITERS.get(str(self.delimiter), "\t" if self.delimiter == "\\t" else self.delimiter)
        if letter is not None and (not isinstance(letter, str) or len(letter) != 1 or letter in '"\r\n'):
            raise UserError(
                f"{name}delimiter: {self.delimiter!r} is not one letter; give one, or {', '.join(DELIMITERS)}"
            )
        quoting = {True: "yes", False: "no"}.get(self.quoting, self.quoting)  # type: ignore[call-overload]
        if quoting is not None and quoting not in QUOTING:
            raise UserError(f"{name}quoting: {self.quoting!r} is none of {', '.join(QUOTING)}; choose one")
        return Layout(self.header, letter, quoting)


UNKNOWN = Layout()
