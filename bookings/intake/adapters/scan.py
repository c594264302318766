"""Lines into labelled values: which line is a label, what stands beside it, where a guest speaks.

A value is found by what it is called, never by its line number. What looks like a value and is claimed by no label is an
orphan: the sign of a renamed label, and then a person reads the message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bookings.intake.adapters import values
from bookings.intake.adapters.base import Adapter, Datum
from bookings.intake.adapters.document import Body

IGNORED, EXTERNAL_ID = "", "external_id"
OPENING, CLOSING = "\"“”„«‘'", "\"”“»’'"
_NOW = frozenset(("now", "new", "updated", "after"))
_BEFORE = frozenset(("before", "old", "previous", "was"))
_MAX_VALUE_LINES = 4

# How each field is read; a field that is not here is text.
READERS: Mapping[str, Callable[[str], tuple[Datum | None, bool]]] = {
    "start": values.read_moment,
    "end": values.read_moment,
    "duration": values.read_duration,
    "party_size": values.read_party,
    "guest_phone": values.read_phone,
    "guest_email": values.read_email,
    "gross": values.read_money,
    "extras": values.read_money,
    "fees": values.read_money,
    "payout": values.read_money,
}


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A known label with its value: as text, and as its field's reader took it (`whole`: nothing was left over)."""

    field: str
    label: str
    line: int
    text: str
    read: Datum | None
    source: str  # the lines of the message that say so
    whole: bool  # False too where a row has two different cells and nothing says which is the newer


@dataclass(frozen=True, kw_only=True)
class Scan:
    hits: tuple[Hit, ...]
    head: tuple[str, ...]  # the opening lines, before any label
    note: tuple[str, ...] | None  # what the guest wrote
    unlabelled: dict[str, str]  # field -> the line that stands before another label
    orphans: tuple[str, ...]
    unknown_labels: tuple[str, ...]
    problems: tuple[str, ...]
    last_line_used: bool


def scan(body: Body, adapter: Adapter) -> Scan:
    return _Scanner(body, adapter).scan()


class _Scanner:
    def __init__(self, body: Body, adapter: Adapter) -> None:
        self.body, self.adapter, self.lines = body, adapter, body.lines
        self.vocabulary = {label: field for field, labels in adapter.labels.items() for label in labels}
        self.vocabulary |= dict.fromkeys(adapter.id.labels, EXTERNAL_ID) | dict.fromkeys(adapter.ignored, IGNORED)
        self.now_wins = any(_is_before_and_now(line) for line in self.lines)
        self.used: set[int] = set()
        self.hits: list[Hit] = []
        self.unknown: list[str] = []
        self.problems: list[str] = []
        self.regions: list[tuple[str, ...]] = []
        self.first_label = len(self.lines)

    def scan(self) -> Scan:
        position = 0
        while position < len(self.lines):
            line = self.lines[position]
            if (behind := self._guest_opener(line)) is not None:
                position = self._guest_speaks(position, behind)
                continue
            if (found := self._label(line)) is not None:
                self.first_label = min(self.first_label, position)
                self._hit(position, *found)
            position += 1
        if len(self.regions) > 1:
            self.problems.append("The guest's words stand in more than one place: read the message yourself.")
        return Scan(
            hits=tuple(self.hits),
            head=tuple(line for line in self.lines[: self.first_label] if line)[:2],
            note=self.regions[0] if self.regions else None,
            unlabelled=self._unlabelled(),
            orphans=self._orphans(),
            unknown_labels=tuple(dict.fromkeys(self.unknown)),
            problems=tuple(self.problems),
            last_line_used=bool(self.lines) and len(self.lines) - 1 in self.used,
        )

    # --- labels ---

    def _label(self, line: str) -> tuple[str, list[str]] | None:
        """(label, cells beside it) if the line begins with a known label: in a row, before a colon, or alone."""
        cells = [cell.strip() for cell in re.split(r"\t+|\s\|\s", line)]
        if (key := _normal(cells[0])) in self.vocabulary:
            return key, [cell for cell in cells[1:] if cell]
        left, colon, right = cells[0].partition(":")
        if colon and (key := _normal(left)) in self.vocabulary:
            return key, [cell for cell in [right.strip(), *cells[1:]] if cell]
        return None

    def _hit(self, position: int, key: str, cells: list[str]) -> None:
        field, distinct = self.vocabulary[key], list(dict.fromkeys(cells))
        beside = [distinct[-1]] if distinct else []
        start, below = self._below(position, skip_blank=not beside)
        lines = [_newest(line) for line in (*beside, *(below if self.body.wrapped or not beside else ()))]
        count, read, whole = self._take(field, lines)
        last = start + count - len(beside)
        self.used.update((position, *range(start, last)))
        self.hits.append(
            Hit(
                field=field,
                label=key,
                line=position,
                text=" ".join(lines[:count]),
                read=read,
                source="\n".join((self.lines[position], *self.lines[start:last])),
                whole=whole and not (len(distinct) > 1 and not self.now_wins),
            )
        )

    def _take(self, field: str, lines: list[str]) -> tuple[int, Datum | None, bool]:
        """(how many lines the value has, the value, whether it was fully read): as many as its reader takes whole.

        A wrapped "May 30, 2024 • 1:00" / "PM" is one value: the longest that can be read is meant, not the first.
        """
        reader = READERS.get(field)
        if reader is None:
            count = len(lines) if self.body.wrapped else min(1, len(lines))
            return count, " ".join(lines[:count]), bool(lines)
        for count in range(len(lines), 0, -1):
            read, whole = reader(" ".join(lines[:count]))
            if whole:
                return count, read, True
        return min(1, len(lines)), reader(lines[0])[0] if lines else None, False

    def _below(self, position: int, *, skip_blank: bool) -> tuple[int, tuple[str, ...]]:
        """The lines that follow, to the next label or the paragraph's end, and the number of the first one."""
        start = position + 1
        if skip_blank and start < len(self.lines) and not self.lines[start]:
            start += 1
        end = start
        while end < len(self.lines) and end - start < _MAX_VALUE_LINES and self._continues(self.lines[end]):
            end += 1
        return start, self.lines[start:end]

    def _continues(self, line: str) -> bool:
        ends = not line or self._label(line) is not None or self._guest_opener(line) is not None
        return not ends and _unknown_label(line) is None and not self._terminates(line)

    # --- the guest's words ---

    def _guest_opener(self, line: str) -> str | None:
        """What stands behind the label on the line after which a guest speaks; None for every other line."""
        left, colon, right = line.partition(":")
        key = _normal(left)
        for opener in self.adapter.guest_text:
            if key == opener or (colon and key.startswith(f"{opener} from ")):
                return right.strip()
        return None

    def _guest_speaks(self, position: int, behind: str) -> int:
        """Labels are off until the channel speaks again; whatever the guest typed is his note. The next line's number."""
        self.first_label = min(self.first_label, position)
        end = position + 1
        while end < len(self.lines) and not self._terminates(self.lines[end]):
            end += 1
        self.regions.append(tuple(line for line in (behind, *self.lines[position + 1 : end])))
        self.used.update(range(position, end))
        rest = self.lines[end:]
        closings = [line for line in rest if line and line[-1] in CLOSING]
        again = len([line for line in rest if self._terminates(line)]) != len(
            {phrase for line in rest for phrase in self.adapter.terminators if line.casefold().startswith(phrase)}
        )
        if closings or again:
            self.problems.append("It is not clear where the guest's words end: read the message yourself.")
        return end

    def _terminates(self, line: str) -> bool:
        return line.casefold().startswith(self.adapter.terminators)

    # --- what no label claims ---

    def _unlabelled(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for field, label in self.adapter.line_before.items():
            hit = next((hit for hit in self.hits if hit.label == label), None)
            before = hit.line - 1 if hit else -1
            while before >= 0 and not self.lines[before]:
                before -= 1
            first = before
            while first > 0 and self.lines[first - 1]:
                first -= 1
            # A title may be wrapped in a text; on a page, a second line above it is a label that is not known.
            alone = self.body.wrapped or first == before
            if before >= 0 and alone and self.used.isdisjoint(range(first, before + 1)):
                found[field] = "\n".join(self.lines[first : before + 1])
                self.used.update(range(first, before + 1))
        return found

    def _orphans(self) -> tuple[str, ...]:
        orphans = []
        for number, line in enumerate(self.lines):
            if not line or number in self.used or self._terminates(line):
                continue
            label = _unknown_label(line)
            if label:
                self.unknown.append(label[0])
            if self._is_a_value(label[1] if label else line):
                orphans.append(line)
        ignored = (hit for hit in self.hits if hit.field == IGNORED)
        return (*orphans, *(f"{hit.label}: {hit.text}" for hit in ignored if values.read_money(hit.text)[1]))

    def _is_a_value(self, text: str) -> bool:
        if len(text) > 1 and text[0] in OPENING[:5] and text[-1] in CLOSING[:4]:
            return True  # a quotation that no label announces: a guest's, perhaps
        address, is_address = values.read_email(text)
        if address and is_address:
            return not self.adapter.owns(address)
        return any(reader(text)[1] for reader in _SHAPES)


_SHAPES = (*dict.fromkeys(READERS.values()), values.read_date, values.read_time)


def _normal(label: str) -> str:
    """The label as the vocabulary has it: "Listing fee (12.5%)" and "*LISTING FEE:*" are one."""
    return re.sub(r"\s*\([^()]*\)$", "", label.strip(" \t*•:#").casefold()).strip(" *:")


def _unknown_label(line: str) -> tuple[str, str] | None:
    """(label, value) of a line that has the form of a labelled value."""
    cells = [cell.strip() for cell in line.split("\t") if cell.strip()]
    if len(cells) > 1:
        return cells[0].rstrip(":"), cells[-1]
    match = re.fullmatch(r"([A-Z][^:.!?]{0,40}):\s+(\S.*)", line)
    return (match[1], match[2]) if match and len(match[1].split()) <= 5 else None


def _newest(text: str) -> str:
    """The right side of `a → b`."""
    return re.split(r"\s*(?:→|⇒|->|=>)\s*", text)[-1]


def _is_before_and_now(line: str) -> bool:
    cells = [_normal(cell) for cell in re.split(r"\t+|\s\|\s", line) if cell.strip()]
    return len(cells) >= 2 and cells[-1] in _NOW and cells[-2] in _BEFORE
