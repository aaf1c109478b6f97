"""Splits SQL text into statements, as psql would: by semicolons outside of quotes, comments, parentheses and bodies.

Pure. It knows PostgreSQL's lexical rules with standard_conforming_strings on: 'doubled '' quotes', E'back\\slashes',
"names", $tag$dollar quotes$tag$, -- and nested /* */ comments, and BEGIN ATOMIC ... END bodies of SQL functions.
Nothing else of the grammar: whether a statement makes sense is the server's business.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# How many leading words a statement keeps: enough to tell CREATE UNIQUE INDEX CONCURRENTLY.
_LEADING_WORDS = 6

_WORD = re.compile(r"[A-Za-z_\u0080-\U0010ffff][\w$\u0080-\U0010ffff]*")
_DOLLAR = re.compile(r"\$(?:[A-Za-z_\u0080-\U0010ffff][\w\u0080-\U0010ffff]*)?\$")
_COMMENT_EDGE = re.compile(r"/\*|\*/")
# A constant goes on in the next line's quotes: 'one' <newline> 'more of it'.
_CONTINUATION = re.compile(r"\s*\n\s*'")


class ScanError(Exception):
    """Text that ends inside something; ``line`` says where that began, counted from 1."""

    def __init__(self, what: str, line: int) -> None:
        """Keep what is not closed, and the line on which it opens."""
        super().__init__(f"{what} that begins at line {line} is not closed")
        self.line = line


@dataclass(frozen=True)
class Statement:
    """One statement without its semicolon and the comments before it."""

    text: str
    line: int
    """Line of its first character in the file, from 1."""
    words: tuple[str, ...]
    """Its first words in upper case, outside of quotes; a statement of ``\\d`` has the one word ``\\``."""
    code: str
    """The text without comments, to look for a form in."""

    def line_of(self, position: int) -> int:
        """Return the file's line of a character position within ``text``, counted from 1 as PostgreSQL does."""
        return self.line + self.text.count("\n", 0, max(position - 1, 0))


def split(sql: str) -> list[Statement]:
    """Return the statements of a text; raises ScanError where a quote, comment, parenthesis or body is left open."""
    return _Scanner(sql).run()


class _Scanner:
    def __init__(self, sql: str) -> None:
        self._sql = sql
        self._at = 0
        self._statements: list[Statement] = []
        self._reset()

    def _reset(self) -> None:
        self._start: int | None = None
        self._words: list[str] = []
        self._parentheses: list[int] = []
        self._bodies: list[int] = []
        self._comments: list[tuple[int, int]] = []

    def run(self) -> list[Statement]:
        """Walk over the text once."""
        sql = self._sql
        while self._at < len(sql):
            char = sql[self._at]
            if char.isspace():
                self._at += 1
            elif sql.startswith(("--", "/*"), self._at):
                begin, self._at = self._at, self._after_comment()
                self._comments.append((begin, self._at))
            elif char == ";" and not self._parentheses and not self._bodies:
                self._finish()
                self._at += 1
            elif char == "\\":
                self._psql_command()
            else:
                if self._start is None:
                    self._start = self._at
                self._token(char)
        for what, opened in (("parenthesis", self._parentheses), ("BEGIN or CASE", self._bodies)):
            if opened:
                raise self._open(f"the {what}", opened[-1])
        self._finish()
        return self._statements

    def _token(self, char: str) -> None:
        sql = self._sql
        if char == "'":
            self._at = self._after_quote(self._at, "'", backslash=False)
        elif char == '"':
            self._at = self._after_quote(self._at, '"', backslash=False)
        elif char == "$" and (tag := _DOLLAR.match(sql, self._at)):
            end = sql.find(tag.group(), tag.end())
            if end < 0:
                raise self._open(f"the text in {tag.group()}", self._at)
            self._at = end + len(tag.group())
        elif word := _WORD.match(sql, self._at):
            if word.group() in ("E", "e") and sql.startswith("'", word.end()):
                self._at = self._after_quote(word.end(), "'", backslash=True)
            else:
                self._word(word.group().upper())
                self._at = word.end()
        elif char.isdigit():
            # A number takes its letters along, so that the e of 1e5 is not taken for a word.
            while self._at < len(sql) and (sql[self._at].isalnum() or sql[self._at] in "._"):
                self._at += 1
        else:
            self._other(char)
            self._at += 1

    def _other(self, char: str) -> None:
        if char == "(":
            self._parentheses.append(self._at)
        elif char == ")" and self._parentheses:
            self._parentheses.pop()

    def _word(self, word: str) -> None:
        if len(self._words) < _LEADING_WORDS:
            self._words.append(word)
        if self._bodies:
            if word in ("BEGIN", "CASE"):
                self._bodies.append(self._at)
            elif word == "END":
                self._bodies.pop()
        elif word == "BEGIN" and self._makes_routine():
            self._bodies.append(self._at)

    def _makes_routine(self) -> bool:
        words = [word for word in self._words if word not in ("OR", "REPLACE")]
        return words[0] == "CREATE" and words[1:2] in (["FUNCTION"], ["PROCEDURE"])

    def _psql_command(self) -> None:
        # SQL has no backslash outside of quotes. A psql command ends with its line, whatever quotes are on it.
        self._finish()
        newline = self._sql.find("\n", self._at)
        end = len(self._sql) if newline < 0 else newline
        command = self._sql[self._at : end].rstrip()
        self._statements.append(Statement(command, self._line(self._at), ("\\",), command))
        self._at = end

    def _after_comment(self) -> int:
        depth, start = 0, self._at
        if self._sql.startswith("--", start):
            newline = self._sql.find("\n", start)
            return len(self._sql) if newline < 0 else newline
        for edge in _COMMENT_EDGE.finditer(self._sql, start):
            depth += 1 if edge.group() == "/*" else -1
            if depth == 0:
                return edge.end()
        raise self._open("the comment", start)

    def _after_quote(self, start: int, quote: str, *, backslash: bool) -> int:
        sql, at = self._sql, start + 1
        while at < len(sql):
            if backslash and sql[at] == "\\":
                at += 2
            elif sql[at] != quote:
                at += 1
            elif sql.startswith(quote, at + 1):
                at += 2
            elif backslash and (more := _CONTINUATION.match(sql, at + 1)):
                at = more.end()
            else:
                return at + 1
        raise self._open("the text in quotes" if quote == "'" else "the name in quotes", start)

    def _finish(self) -> None:
        if self._start is not None:
            text = self._sql[self._start : self._at].rstrip()
            self._statements.append(Statement(text, self._line(self._start), tuple(self._words), self._code()))
        self._reset()

    def _code(self) -> str:
        kept, at = [], self._start or 0
        for begin, end in self._comments:
            if begin >= at:
                kept.append(self._sql[at:begin])
                at = end
        kept.append(self._sql[at : self._at])
        return " ".join(kept).strip()

    def _open(self, what: str, start: int) -> ScanError:
        return ScanError(what, self._line(start))

    def _line(self, position: int) -> int:
        return self._sql.count("\n", 0, position) + 1
