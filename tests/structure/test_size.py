"""Small by measure: one does not argue with it, one cuts."""

from __future__ import annotations

import ast
import io
import tokenize
from statistics import median, quantiles

from tests.structure.source import functions, modules, name

LONGEST_FUNCTION, LONGEST_FILE = 60, 500
USUAL_FUNCTION = 40  # 95 of 100 are at most this long
COMMENTS = (0.01, 0.12)  # share of lines: some, and all of them say why


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, without the docstring."""
    docstring = function.body[0] if ast.get_docstring(function) is not None else None
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    return lines - ((docstring.end_lineno or 0) - docstring.lineno + 1 if docstring else 0)


def lengths() -> dict[str, int]:
    return {f"{name(file)}:{f.lineno} {f.name}": length(f) for file, tree in modules().items() for f in functions(tree)}


def test_no_function_is_long() -> None:
    assert {where: lines for where, lines in lengths().items() if lines > LONGEST_FUNCTION} == {}


def test_nearly_every_function_fits_on_a_screen() -> None:
    assert quantiles(lengths().values(), n=20)[-1] <= USUAL_FUNCTION
    assert median(lengths().values()) <= 8


def test_no_file_is_long() -> None:
    sizes = {name(file): len(file.read_text().splitlines()) for file in modules()}

    assert {file: lines for file, lines in sizes.items() if lines > LONGEST_FILE} == {}


def test_comments_are_few_and_there_are_some() -> None:
    lines = comments = 0
    for file in modules():
        text = file.read_text()
        lines += len(text.splitlines())
        comments += sum(t.type == tokenize.COMMENT for t in tokenize.generate_tokens(io.StringIO(text).readline))

    assert COMMENTS[0] <= comments / lines <= COMMENTS[1]
