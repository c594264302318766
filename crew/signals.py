"""What this app announces, inside the transaction that makes it so.

`crew_changed(sender, event, booking, by, at)`: the crew, its answers or its checklist differ from what they were.
"""

from django.dispatch import Signal

crew_changed = Signal()
