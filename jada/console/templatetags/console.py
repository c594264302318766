"""States as pills, in the console's templates."""

from django import template
from django.db import models
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jada.console.today import Hand
from jada.modeladmin import pill, tone

register = template.Library()


@register.filter
def state_pill(member: models.TextChoices) -> SafeString:
    return pill(member)


@register.filter
def hand_pill(hand: Hand) -> SafeString:
    """`Ana, captain` on the colour of the answer; the answer itself is read aloud, and shown where it is no yes."""
    said = str(hand.state.label)
    yes = tone(hand.state) == "ok"
    return format_html(
        '<span class="pill pill-{}">{}, {}<span{}>: {}</span></span>',
        tone(hand.state),
        hand.name,
        hand.role.lower(),
        format_html(' class="vh"') if yes else "",
        said.lower(),
    )
