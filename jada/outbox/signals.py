"""News of the outbox for those above it, who keep the history."""

from django.dispatch import Signal

# A copy differed and is set right: topic, key, subject, differences, at. Sent in the transaction that owes the repair.
copy_healed = Signal()
