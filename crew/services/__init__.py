"""What can be done with crews, trips' crew events, links and checklists: one function, one transaction, one actor."""

from crew.services.answers import (
    AnswerRefused,
    accept,
    decline,
    expire_invitations,
)
from crew.services.calling import (
    AssignmentRefused,
    assign_member,
    call_crew,
    invite_again,
    revise_member,
    why_not,
    withdraw_member,
)
from crew.services.checklist import ChecklistClosed, NoSuchTask, tick
from crew.services.events import event_of, follow_booking, mark_events
from crew.services.links import (
    Browser,
    exchange_link,
    forget,
    is_genuine,
    issue_link,
    leave,
    link_of,
    open_link,
    revoke_grant,
    session_for,
    trips_of_session,
)
from crew.services.notes import MoneyInNote, money_in, refuse_money
from crew.services.portal import crew_list, event_view, labour, trip_card, trip_page
from crew.services.reach import note_unreachable, unreachable
from crew.services.reissue import request_link, send_link

__all__ = [
    "AnswerRefused",
    "AssignmentRefused",
    "Browser",
    "ChecklistClosed",
    "MoneyInNote",
    "NoSuchTask",
    "accept",
    "assign_member",
    "call_crew",
    "crew_list",
    "decline",
    "event_of",
    "event_view",
    "exchange_link",
    "expire_invitations",
    "follow_booking",
    "forget",
    "invite_again",
    "is_genuine",
    "issue_link",
    "labour",
    "leave",
    "link_of",
    "mark_events",
    "money_in",
    "note_unreachable",
    "open_link",
    "refuse_money",
    "request_link",
    "revise_member",
    "revoke_grant",
    "send_link",
    "session_for",
    "tick",
    "trip_card",
    "trip_page",
    "trips_of_session",
    "unreachable",
    "why_not",
    "withdraw_member",
]
