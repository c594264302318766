"""What this app announces, inside the transaction that makes it so.

`booking_changed(sender, booking, act, changed, by, at, tell)`: act is "booked", "amended" or "cancelled"; `changed` names
the booking's fields that differ; `tell` is False where nobody is to hear of it (history that is loaded, a trip that is
over). A receiver that cannot do its part raises, and the act is undone.
"""

from django.dispatch import Signal

booking_changed = Signal()
