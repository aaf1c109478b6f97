"""The splitter of SQL texts."""

from __future__ import annotations

import pytest

from provider.sql.scanner import ScanError, split


def texts(sql: str) -> list[str]:
    return [statement.text for statement in split(sql)]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("", []),
        (" ;; -- only a comment\n/* and another */ ;", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"]),
        ("SELECT 'a;b'';c'; SELECT 2", ["SELECT 'a;b'';c'", "SELECT 2"]),
        ("SELECT 'back\\'; SELECT 2", ["SELECT 'back\\'", "SELECT 2"]),
        ("SELECT E'it\\'s;'; SELECT 2", ["SELECT E'it\\'s;'", "SELECT 2"]),
        ("SELECT e'a'\n  'b\\';'; SELECT 2", ["SELECT e'a'\n  'b\\';'", "SELECT 2"]),
        ("SELECT U&'d;' , B'1;0'; SELECT 2", ["SELECT U&'d;' , B'1;0'", "SELECT 2"]),
        ('SELECT 1 AS "a;""b;"; SELECT 2', ['SELECT 1 AS "a;""b;"', "SELECT 2"]),
        ("DO $$ BEGIN; END $$; SELECT 2", ["DO $$ BEGIN; END $$", "SELECT 2"]),
        ("DO $a$ x; $$ ; $b$ ; $a$; SELECT 2", ["DO $a$ x; $$ ; $b$ ; $a$", "SELECT 2"]),
        ("SELECT $1; SELECT a$b$; SELECT 3", ["SELECT $1", "SELECT a$b$", "SELECT 3"]),
        ("SELECT 1 -- not; here\n; SELECT 2", ["SELECT 1 -- not; here", "SELECT 2"]),
        ("SELECT /* a; /* b; */ c; */ 1; SELECT 2", ["SELECT /* a; /* b; */ c; */ 1", "SELECT 2"]),
        ("CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3",
         ["CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)", "SELECT 3"]),
        ("SELECT 1e5; SELECT 1e-5;", ["SELECT 1e5", "SELECT 1e-5"]),
        ("SELECT 'ü;', ñame; SELECT 2", ["SELECT 'ü;', ñame", "SELECT 2"]),
    ],
)  # fmt: skip
def test_statements_end_at_semicolons_outside_of_everything(sql: str, expected: list[str]) -> None:
    assert texts(sql) == expected


@pytest.mark.parametrize("head", ["CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", "create procedure"])
def test_a_body_of_begin_atomic_is_one_statement(head: str) -> None:
    body = f"{head} f() BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 1 END; END"
    assert texts(f"{body}; SELECT 2") == [body, "SELECT 2"]


def test_begin_elsewhere_opens_no_body() -> None:
    assert texts("BEGIN; CREATE TABLE begin_x (); COMMIT") == ["BEGIN", "CREATE TABLE begin_x ()", "COMMIT"]


def test_a_psql_command_ends_with_its_line_whatever_is_on_it() -> None:
    found = split("\\echo it's\nSELECT 1 \\gexec\nSELECT 2;")
    assert [(s.text, s.words[0]) for s in found] == [
        ("\\echo it's", "\\"),
        ("SELECT 1", "SELECT"),
        ("\\gexec", "\\"),
        ("SELECT 2", "SELECT"),
    ]


def test_lines_are_those_of_the_file() -> None:
    first, second = split("-- head\n\nCREATE TABLE a (\n  b int\n);\n/* x\n */ SELECT\n  oops;")
    assert (first.line, second.line) == (3, 7)
    assert second.line_of(second.text.index("oops") + 1) == 8
    assert first.line_of(1) == 3


def test_words_tell_what_a_statement_is() -> None:
    (found,) = split('/* c */ create unique index /* x */ concurrently "i" on t (a)')
    assert found.words[:4] == ("CREATE", "UNIQUE", "INDEX", "CONCURRENTLY")


def test_the_code_is_the_text_without_its_comments() -> None:
    first, second = split("-- a\nDROP /* b; */INDEX -- c\n 'x -- y' -- d\n;\n/* e */ SELECT 1")
    assert (first.code.split(), second.code) == (["DROP", "INDEX", "'x", "--", "y'"], "SELECT 1")


@pytest.mark.parametrize(
    ("sql", "what", "line"),
    [
        ("SELECT 1;\nSELECT 'a", "the text in quotes", 2),
        ('SELECT "a', "the name in quotes", 1),
        ("\nDO $x$ a $$", "the text in $x$", 2),
        ("SELECT 1 /* a /* b */", "the comment", 1),
        ("SELECT (1;", "the parenthesis", 1),
        ("CREATE FUNCTION f() BEGIN ATOMIC SELECT 1;", "the BEGIN or CASE", 1),
    ],
)
def test_what_is_left_open_is_named_with_its_line(sql: str, what: str, line: int) -> None:
    with pytest.raises(ScanError) as error:
        split(sql)
    assert str(error.value) == f"{what} that begins at line {line} is not closed"
