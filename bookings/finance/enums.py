from django.db import models


class PaymentKind(models.TextChoices):
    DEPOSIT = "deposit", "Deposit"
    BALANCE = "balance", "Balance"
    CHANNEL_PAYOUT = "channel_payout", "Channel payout"
    REFUND = "refund", "Refund"
    TRANSFER_IN = "transfer_in", "Carried over from another trip"
    TRANSFER_OUT = "transfer_out", "Carried over to another trip"


class PaymentMethod(models.TextChoices):
    CARD = "card", "Card"
    CASH = "cash", "Cash"
    CHECK = "check", "Check"
    ACH = "ach", "ACH"
    ZELLE = "zelle", "Zelle"
    VENMO = "venmo", "Venmo"
    PAYPAL = "paypal", "PayPal"
    STRIPE = "stripe", "Stripe"
    CHANNEL = "channel", "Channel"
    OTHER = "other", "Other"


class RoleGroup(models.TextChoices):
    """Who is paid by which policy: the captain for the charter's hours, the others for more."""

    CAPTAIN = "captain", "Captain"
    CREW = "crew", "Crew"


# Money that goes out is entered as a negative amount.
OUTGOING = (PaymentKind.REFUND, PaymentKind.TRANSFER_OUT)
