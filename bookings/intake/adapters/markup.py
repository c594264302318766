"""Text and HTML into lines: "" between paragraphs, a tab between the cells of a row."""

from __future__ import annotations

import re
import unicodedata

from lxml import etree, html

MAX_LINES = 4000
# fmt: off
_BREAKS = frozenset((
    "address", "article", "aside", "blockquote", "center", "dd", "div", "dl", "dt", "footer", "form", "header", "hr",
    "main", "section",
))
_PARAGRAPHS = frozenset((
    "p", "h1", "h2", "h3", "h4", "h5", "h6", "table", "tbody", "thead", "tr", "ul", "ol", "li", "pre",
))
_CELLS = frozenset(("td", "th"))
_SILENT = frozenset((
    "script", "style", "head", "title", "template", "noscript", "s", "del", "strike", "textarea", "select", "svg",
    "object",
))
# fmt: on
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])|opacity\s*:\s*0(?![.\d])", re.IGNORECASE
)
_CONTROL = frozenset(("Cc", "Cf", "Cs"))


def tidy(text: str) -> str:
    """One line: every kind of space is a space, control and format characters are gone; tabs stay as cell borders."""
    kept = (c if c == "\t" or unicodedata.category(c) not in _CONTROL else "" for c in text)
    cells = [" ".join("".join(kept_cell).split()) for kept_cell in "".join(kept).split("\t")]
    return "\t".join(cells).strip("\t")


def text_lines(text: str) -> tuple[str, ...]:
    """A plain text as it was wrapped; the marks of a wholly quoted text are dropped."""
    lines = [tidy(line) for line in re.split(r"\r\n|\r|\n|\u2028|\u2029|\x0b|\x0c|\x85", text)][:MAX_LINES]
    return _without_runs_of_blanks(lines)


def html_lines(source: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The lines a reader of the page sees, and its links. Nothing is loaded and nothing hidden is read.

    `text_content()` glues a label to its value and common converters read hidden text; hence our own walker.
    """
    source = "".join(c for c in source if c in "\t\n\r" or unicodedata.category(c) not in ("Cc", "Cs"))
    if not source.strip():
        return (), ()
    try:
        # The text is decoded already; a declaration inside it would make lxml decode it a second time, or refuse.
        root = html.document_fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", source))
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return (), ()
    page = _Page()
    walker = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
    for event, element in walker:
        if event == "start":
            if _is_hidden(element):
                walker.skip_subtree()
                page.skipped.add(element)
            else:
                page.open(element)
        elif event == "end" and element not in page.skipped:
            page.close(element)
        if event != "start":
            page.write(element.tail)
    return _without_runs_of_blanks(page.finished()), tuple(page.links)


class _Page:
    """Collects the visible text of a page line by line."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.links: list[str] = []
        self.skipped: set[html.HtmlElement] = set()
        self._line: list[str] = []

    def open(self, element: html.HtmlElement) -> None:
        name = element.tag
        if name == "br":
            self._break(keep_empty=True)
        elif name in _BREAKS:
            self._break()
        elif name in _PARAGRAPHS:
            self._break(blank=True)
        elif name in _CELLS and "".join(self._line).strip():
            self._line.append("\t")
        if name == "a" and element.get("href"):
            self.links.append(element.get("href", ""))
        self.write(element.text)

    def close(self, element: html.HtmlElement) -> None:
        if element.tag in _PARAGRAPHS:
            self._break(blank=True)
        elif element.tag in _BREAKS:
            self._break()

    def write(self, text: str | None) -> None:
        if text and len(self.lines) < MAX_LINES:
            self._line.append(re.sub(r"[ \t\r\n\f]+", " ", text))

    def finished(self) -> list[str]:
        self._break()
        return self.lines

    def _break(self, *, blank: bool = False, keep_empty: bool = False) -> None:
        seen = "".join(self._line)
        line = tidy(seen)
        if line or keep_empty or seen.strip(" \t"):  # a line of no-break spaces is an empty line
            self.lines.append(line)
        if blank:
            self.lines.append("")
        self._line = []


def _is_hidden(element: html.HtmlElement) -> bool:
    return (
        element.tag in _SILENT or element.get("hidden") is not None or bool(_HIDDEN.search(element.get("style") or ""))
    )


def _without_runs_of_blanks(lines: list[str]) -> tuple[str, ...]:
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    while kept and not kept[-1]:
        kept.pop()
    return tuple(kept)
