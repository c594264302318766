"""The console's forms for trips and holds. Times are typed as they read at the dock: in the vessel's own zone."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import ZoneInfo

from django import forms
from django.utils.timezone import is_aware

from bookings.enums import BookingStatus
from bookings.models import Booking, CalendarEntry, Vessel
from bookings.services import BookingRefused, EndsBeforeStart, InThePast, OverCapacity, TripDetails, VesselTaken

if TYPE_CHECKING:  # generic in the stubs, a plain class when it runs
    _ModelForm = forms.ModelForm[Any]
else:
    _ModelForm = forms.ModelForm

REFUSED_AT: dict[type[BookingRefused], str] = {
    InThePast: "starts_at",
    EndsBeforeStart: "ends_at",
    OverCapacity: "party_size",
    VesselTaken: "vessel",
}
OFFERED = [(s.value, s.label) for s in (BookingStatus.CONFIRMED, BookingStatus.QUOTED, BookingStatus.INQUIRY)]
PICKER = {"type": "datetime-local"}


class DockTimeField(forms.DateTimeField):
    """A wall clock without a zone: only the form knows the vessel, and so the zone. `at_the_dock` makes it an instant."""

    widget = forms.DateTimeInput(attrs=PICKER, format="%Y-%m-%dT%H:%M")

    def prepare_value(self, value: Any) -> Any:
        return value.replace(tzinfo=None) if isinstance(value, datetime) else value

    def to_python(self, value: Any) -> datetime | None:
        if value in self.empty_values:
            return None
        for pattern in ("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"):
            try:
                wall = datetime.strptime(str(value), pattern)
            except ValueError:
                continue
            if 2000 <= wall.year <= 2100:  # beyond, some zone has no such instant
                return wall
            raise forms.ValidationError("Give a year from 2000 to 2100.")
        raise forms.ValidationError("Give a date and a time, such as 2027-05-30 13:00.")


def at_the_dock(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant of a wall clock. An hour that happens twice is its first; one that never happens is refused."""
    instant = wall.replace(tzinfo=zone)
    if instant.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wall:
        raise forms.ValidationError(
            f"{wall:%-I:%M %p} does not exist on that day: the clocks go forward. Choose another time."
        )
    return instant


class TimedForm(_ModelForm):
    """Two times at a vessel's dock, a checkbox for what is past, and the sentence of a refusal at its field."""

    starts_at = DockTimeField(label="Starts, time at the dock")
    ends_at = DockTimeField(label="Ends, time at the dock")
    took_place = forms.BooleanField(label="It really took place then", required=False, widget=forms.HiddenInput)

    refusal: ClassVar[BookingRefused | None] = None  # what the service answered to this very form

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            for name in {"starts_at", "ends_at"} & set(self.fields):
                self.initial[name] = getattr(self.instance, name).astimezone(self.instance.vessel.zone)
        if isinstance(self.refusal, InThePast):
            self.fields["took_place"].widget = forms.CheckboxInput()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        vessel = cleaned.get("vessel") or self._its_vessel()
        for name in ("starts_at", "ends_at"):
            if vessel and cleaned.get(name) and not is_aware(cleaned[name]):
                self._place(name, vessel)
        if cleaned.get("starts_at") and cleaned.get("ends_at") and cleaned["ends_at"] <= cleaned["starts_at"]:
            self.add_error(
                "ends_at", "The trip ends before it begins: check the end, and its date if it ends after midnight."
            )
        if self.refusal is not None:
            self.add_error(self._field_of(self.refusal), str(self.refusal))
        return self.cleaned_data

    def _its_vessel(self) -> Vessel | None:
        return self.instance.vessel if self.instance.vessel_id else None

    def _place(self, name: str, vessel: Vessel) -> None:
        try:
            self.cleaned_data[name] = at_the_dock(self.cleaned_data[name], vessel.zone)
        except forms.ValidationError as error:
            self.add_error(name, error)

    def _field_of(self, refusal: BookingRefused) -> str | None:
        name = REFUSED_AT.get(type(refusal))
        return name if name in self.fields else None


class BookingForm(TimedForm):
    """A trip, typed in by the office. Saving it is one call of `bookings.services`; the form itself writes nothing."""

    take_as = forms.ChoiceField(label="Take it as", choices=OFFERED, initial=BookingStatus.CONFIRMED)
    reason = forms.CharField(
        label="Why it changes", required=False, max_length=200, help_text="For the history; nobody is mailed this."
    )
    token = forms.CharField(widget=forms.HiddenInput, required=False)
    seen_revision = forms.IntegerField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Booking
        fields = (
            "channel", "external_id", "given_code", "vessel", "product", "starts_at", "ends_at", "party_size",
            "guest_name", "guest_email", "guest_phone", "occasion", "public_note", "private_note",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("token", secrets.token_urlsafe(12))  # one form rendered is one booking made
        if self.instance.pk:
            self.initial["seen_revision"] = self.instance.revision
            del self.fields["take_as"]  # asked once, when it is booked: its page shows no such field

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        seen = cleaned.get("seen_revision")
        if self.instance.pk and seen and seen != self.instance.revision:
            self.add_error(
                None, "The trip was changed by somebody else meanwhile: open it again, then make your change."
            )
        return cleaned

    def trip(self) -> TripDetails:
        """What was typed; what the form did not show stays as it is. Call it on a valid form."""
        kept: dict[str, Any] = {name: getattr(self.instance, name) for name in TripDetails.__dataclass_fields__}
        typed = {name: value for name, value in self.cleaned_data.items() if name in kept}
        return TripDetails(**(kept | typed))


class HoldForm(TimedForm):
    """Time kept on a vessel before there is a booking."""

    class Meta:
        model = CalendarEntry
        fields = ("vessel", "title", "guest_count", "starts_at", "ends_at")
