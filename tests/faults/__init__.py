"""Faults, played with real processes and judged from outside. What may go wrong, and where it is proved:

| | fault | tests |
|---|---|---|
| F1 | an exception behind the inserts, before the commit | faults/test_f_engine.py |
| F2 | killed between the commit and the bell | faults/test_f_engine.py |
| F3 | the broker refuses, is silent, drops everything | faults/test_f_doors.py |
| F4 | the database stops in the middle of commits | faults/test_f_doors.py |
| F5 | the same request many times at once | faults/test_f_doors.py |
| F6 | killed right behind a claim | faults/test_f_engine.py |
| F7 | killed behind the put, before its record | faults/test_f_world.py |
| F8 | killed in `sending`, the event arrives | faults/test_f_mail.py |
| F9 | the same, and no event ever | faults/test_f_mail.py |
| F10 | killed in `sending` before the request | faults/test_f_mail.py |
| F11 | the answer to a mail is late | faults/test_f_mail.py |
| F12 | the mail service throttles twenty times | faults/test_f_mail.py |
| F13 | a worker frozen beyond its lease | faults/test_f_engine.py |
| F14 | a rescue races a completion | faults/test_f_engine.py |
| F15 | the record fails | faults/test_f_engine.py |
| F16 | two sweepers, eight workers, six writers, one lane | faults/test_f_lanes.py |
| F17 | fifty edits in a second | faults/test_f_lanes.py |
| F18 | an edit while the older row is in flight | faults/test_f_lanes.py |
| F19 | cancelled while everything is queued | faults/test_f_world.py |
| F20 | the bucket refuses for ever | faults/test_f_world.py |
| F21 | a dead row retried behind a newer one | faults/test_f_lanes.py |
| F22 | a late put behind a deletion | faults/test_f_world.py |
| F23 | back to an earlier text, with a stale writer | faults/test_f_world.py |
| F24 | a crash around an invalidation | faults/test_f_world.py, jada/outbox/test_batches.py |
| F25 | five thousand pages | jada/outbox/test_batches.py |
| F26 | a row that kills its worker each time | faults/test_f_lanes.py |
| F27 | a worker that does not know a topic | jada/outbox/test_guards.py |
| F28 | everybody dead for an hour, then ten thousand rows | faults/test_f_hosts.py |
| F29 | a database of yesterday | jada/outbox/test_restored.py |
| F30 | a worker of another hour | faults/test_f_hosts.py |
| F31 | one file for all, and its backup | faults/test_f_hosts.py, jada/outbox/test_sqlite_together.py |
| F32 | SQL behind our back | faults/test_f_world.py |
| F33 | a thousand bells, and none | faults/test_f_hosts.py |
| F34 | a full disk, a read-only database | faults/test_f_lanes.py |
| F35 | events repeated, out of order, of others | faults/test_f_mail.py |
| F36 | no secret anywhere | faults/test_f_doors.py |

Every crash point of every kind of effect is `matrix`; everything at once is `chaos`; `make faults` runs both.
"""
