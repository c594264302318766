"""What this app announces, inside the transaction that makes it so.

`mail_bounced(sender, recipient, address, kind, about, at)`: an address gets no more mail, because mail to it bounces or
its owner does not want it (`kind`, a `Trouble`). `recipient` is a message's own (`crew:…`, `guest:…`, `ops`) and `about`
what that message was about; both are "" where no message of ours is known. Said once, however often it is reported.
"""

from django.dispatch import Signal

mail_bounced = Signal()
