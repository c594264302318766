"""Any order of transitions, with every way in which a call can end: I3 to I8 hold after each step, I6 at the end.

The machine owes, claims, delivers, dies, oversleeps, rescues, settles, retries and withdraws as it is drawn; the target
is as strict as the real ones (it refuses an older version), and mails cannot be refused. Time is moved in the rows.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from jada.failures import InDoubt, Misconfigured, Outcome, Refused, Retry
from jada.outbox import breakers, failing, host, plans, registry, services
from jada.outbox.delivery import Claim, claim, run
from jada.outbox.entries import enqueue, enqueue_message, withdraw
from jada.outbox.enums import IN_FLIGHT, UNFINISHED, Mode, State
from jada.outbox.invariants import FINAL, violations
from jada.outbox.models import Attempt, Effect, Mirror
from jada.outbox.proof import prove_sent
from jada.outbox.registry import Batching, Order, Seen, Withdrawn, Work
from jada.outbox.sql import clock
from jada.outbox.sweep import sweep
from tests.faults.stage import pass_time

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

EXAMPLES = int(os.environ.get("FAULTS_EXAMPLES", "60"))  # `make faults` draws ten times as many
KEYS, LANES = ("a", "b"), ("mail:x", "mail:y")
TOPIC_OF = {"a": "thing", "b": "plain"}
ENDS = (
    "ok", "ok", "retry", "refused", "misconfigured", "bug", "died before", "died after",
    "in doubt", "withdrawn", "overslept", "overtaken",
)  # fmt: skip
LEASE_OVER, DOUBT_OVER, DAYS = timedelta(minutes=2), timedelta(minutes=12), timedelta(hours=2)


class Died(BaseException):
    """The process is gone: nothing of ours handles it."""


@dataclass(frozen=True)
class Thing:
    weight: int


@dataclass
class World:
    """Our side, the other side, and how the next call ends."""

    rows: dict[str, Thing | None] = field(default_factory=dict)
    copies: dict[str, tuple[int, Thing | None]] = field(default_factory=dict)
    orders: dict[str, tuple[str, ...]] = field(default_factory=dict)
    mails: dict[int, list[int]] = field(default_factory=dict)  # under which claims each left
    wrong: list[str] = field(default_factory=list)  # an error raised in a handler would be taken for a failure of it
    how: str = "ok"
    meanwhile: Callable[..., None] = lambda **_: None

    def call(self, act: Callable[[], None]) -> None:
        """Once: whatever comes after it, in the same step, ends well."""
        how, self.how = self.how, "ok"
        failures = {"retry": Retry("busy"), "refused": Refused("no"), "misconfigured": Misconfigured("closed")}
        if how in failures:
            raise failures[how]
        if how == "bug":
            raise ZeroDivisionError
        if how == "died before":
            raise Died
        act()
        if how == "died after":
            raise Died
        if how == "in doubt":
            raise InDoubt("no answer")
        if how in ("overslept", "overtaken"):
            self.meanwhile(finishes=how == "overtaken")


def inhabit(world: World) -> None:
    class Things:
        def view(self, key: str) -> Thing | None:
            return world.rows.get(key)

        def write(self, key: str, view: Thing | None, version: int) -> Outcome:
            found: list[Outcome] = []

            def put() -> None:
                stands = world.copies.get(key, (0, None))[0]
                found.append(Outcome.NEWER if stands > version else Outcome.WRITTEN)
                if stands < version:
                    world.copies[key] = (version, view)

            world.call(put)
            return found[0]

        def read_back(self, key: str) -> Seen | None:
            return None

    # Two kinds of it: followed by steps, and plain (which is recorded together with others).
    registry.projection("thing", lane="thing:{key}", then=("thing.edge", "thing.seen"))(Things)
    registry.projection("plain", lane="plain:{key}")(Things)

    @registry.batch_step("thing.edge", lane="thing:{key}", batching=Batching(lambda key: [f"/{key}"], "/*"))
    def edge(order: Order) -> str:
        world.call(lambda: world.orders.setdefault(order.reference, order.members))
        if world.orders.get(order.reference, order.members) != order.members:
            world.wrong.append(f"{order.reference} is repeated with other members")
        return order.reference

    @registry.step("thing.seen", lane="seen:{key}", confirms="thing")
    def seen(work: Work) -> None:
        world.call(lambda: None)

    @registry.courier("letter")
    class Letters:
        def prepare(self, work: Work) -> str | Withdrawn:
            if world.how == "withdrawn":
                world.how = "ok"
                return Withdrawn("not worth it any more")
            return work.key

        def send(self, prepared: str, work: Work) -> Mapping[str, Any]:
            row = Effect.objects.get(pk=work.effect_id)
            if (row.state, row.claim_no) != (State.SENDING, work.claim_no):
                world.wrong.append(f"#{row.pk} is sent under claim {work.claim_no}, which is not the one marked")
            world.call(lambda: world.mails.setdefault(work.effect_id, []).append(work.claim_no))
            return {"message_id": f"m-{prepared}"}

        def in_doubt(self, work: Work) -> str:
            return "resend" if work.key.endswith("again") else "hold"


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.block = transaction.atomic()
        self.block.__enter__()
        self.topics, registry._topics = registry._topics, {}
        self.plans, plans._plans = plans._plans, {}
        self.world = World()
        self.world.meanwhile = self.somebody_else
        inhabit(self.world)
        self.claims: list[Claim] = []
        self.facts = 0
        self.final: dict[int, tuple[Any, ...]] = {}
        self.was: dict[int, str] = {}
        self.allowed: Counter[int] = Counter()  # repeats of a message, each by policy or person
        self.highest: dict[str, int] = {}
        self.left_as: dict[int, tuple[Any, ...]] | None = None  # every row, when a sleeper awoke

    def teardown(self) -> None:
        try:
            self.comes_to_rest()
        finally:
            registry._topics, plans._plans = self.topics, self.plans
            transaction.set_rollback(True)
            self.block.__exit__(None, None, None)

    # --- our side ----------------------------------------------------------------------------------------------------

    @rule(key=st.sampled_from(KEYS), weight=st.sampled_from((1, 2, None)))
    def changes(self, key: str, weight: int | None) -> None:
        with transaction.atomic():
            self.world.rows[key] = Thing(weight) if weight is not None else None
            enqueue(TOPIC_OF[key], key)

    @rule(lane=st.sampled_from(LANES), after=st.sampled_from((None, *KEYS)), doubt=st.sampled_from(("again", "hold")))
    def has_something_to_say(self, lane: str, after: str | None, doubt: str) -> None:
        self.facts += 1
        with transaction.atomic():
            waits, fact = (TOPIC_OF[after], after) if after else None, f"fact {self.facts}"
            said = enqueue_message("letter", f"{self.facts} {doubt}", lane=lane, fact=fact, after=waits)
            again = enqueue_message("letter", "again", lane=lane, fact=fact)
        assert said is not None
        assert again is None

    # --- the workers -------------------------------------------------------------------------------------------------

    def take(self, limit: int) -> list[Claim]:
        breakers.forget()  # what was read a second ago would make a run depend on how fast it is
        before = {row.pk: row for row in Effect.objects.filter(state__in=UNFINISHED)}
        taken = claim(limit=limit)
        for pk in (pk for mine in taken for pk, _ in mine.rows or [(mine.effect_id, mine.claim_no)]):
            lane = [row for row in before.values() if row.lane == before[pk].lane]
            assert min(row.pk for row in lane) == pk, "I3: the head of its lane starts first"
            assert not [row for row in lane if row.state in IN_FLIGHT], "I4: nothing of its lane is in flight"
        return taken

    def deliver(self, mine: Claim, how: str) -> None:
        self.world.how, self.left_as = how, None
        try:
            run(mine)
        except Died:
            pass
        finally:
            self.world.how = "ok"
        if self.left_as is not None:
            assert self.all_rows() == self.left_as, "a late record changed what was another's by then"

    @rule(limit=st.integers(1, 3), how=st.sampled_from(ENDS))
    def works(self, limit: int, how: str) -> None:
        for mine in self.take(limit):
            self.deliver(mine, how)

    @rule(key=st.sampled_from(KEYS), how=st.sampled_from(("died after", "overslept", "overtaken")))
    def is_lost_behind_its_call(self, key: str, how: str) -> None:
        """A change whose call has happened and whose record has not: the one window, so it is drawn by itself."""
        self.changes(key, 2)
        for mine in self.take(1):
            self.deliver(mine, how)

    @rule(limit=st.integers(1, 3))
    def claims_and_stands_still(self, limit: int) -> None:
        self.claims += self.take(limit)

    @precondition(lambda self: self.claims)
    @rule(which=st.integers(0, 9), how=st.sampled_from(ENDS))
    def goes_on(self, which: int, how: str) -> None:
        """However old the claim is, and whoever has the row by now."""
        self.deliver(self.claims.pop(which % len(self.claims)), how)

    def somebody_else(self, *, finishes: bool) -> None:
        """Between a call and its record the lease runs out; another process has the row, or has even delivered it."""
        pass_time(LEASE_OVER)
        sweep()
        self.notes()
        for mine in self.take(3):
            if finishes:
                run(mine)
            else:
                self.claims.append(mine)
        self.notes()
        self.left_as = self.all_rows()

    @precondition(lambda self: self.claims)
    @rule()
    def is_overtaken(self) -> None:
        """Whoever stands still: the row is rescued, and claimed by another who stands still."""
        pass_time(LEASE_OVER)
        sweep()
        self.claims += self.take(3)

    @rule(by=st.sampled_from((LEASE_OVER, DOUBT_OVER, DAYS)))
    def time_passes_and_somebody_sweeps(self, by: timedelta) -> None:
        pass_time(by)
        sweep()

    @rule()
    def sweeps(self) -> None:
        """While leases last."""
        sweep()

    # --- people, and what the other side tells -----------------------------------------------------------------------

    @rule(lane=st.sampled_from(LANES))
    def takes_back(self, lane: str) -> None:
        with transaction.atomic():
            withdraw(lane=lane, reason="taken back")

    @rule(which=st.integers(0, 9), act=st.sampled_from(("retry", "drop")))
    def a_person_decides(self, which: int, act: str) -> None:
        stuck = list(Effect.objects.stuck().order_by("pk"))
        if stuck and act == "retry":
            services.retry(effect=stuck[which % len(stuck)], at=clock())
        elif stuck:
            services.drop(effect=stuck[which % len(stuck)], reason="not needed", at=clock())

    @rule()
    def an_event_proves_what_left(self) -> None:
        for pk, claims in self.world.mails.items():
            prove_sent(effect_id=pk, claim_no=claims[-1], by_what="an event", result={}, at=clock())

    # --- what holds after each step ----------------------------------------------------------------------------------

    def all_rows(self) -> dict[int, tuple[Any, ...]]:
        return {row.pk: (row.state, row.claim_no, row.attempts, row.result) for row in Effect.objects.all()}

    @invariant()
    def notes(self) -> None:
        for row in Effect.objects.all():
            if self.was.get(row.pk) in (State.IN_DOUBT, State.DEAD) and row.state == State.PENDING:
                self.allowed[row.pk] += 1
            self.was[row.pk] = row.state
            frozen = (row.state, row.claim_no, row.attempts, row.version, row.result)
            if row.pk in self.final:
                assert self.final[row.pk] == frozen, f"I8: #{row.pk} was final and changed"
            elif row.state in FINAL:
                self.final[row.pk] = frozen

    @invariant()
    def nothing_was_called_that_should_not(self) -> None:
        assert self.world.wrong == []

    @invariant()
    def one_in_flight_and_one_waiting(self) -> None:
        flying = Counter(Effect.objects.filter(state__in=IN_FLIGHT).values_list("lane", flat=True))
        waiting = Counter(Effect.objects.filter(state=State.PENDING, mode=Mode.STATE).values_list("lane", "topic"))
        assert max(flying.values(), default=0) <= 1
        assert max(waiting.values(), default=0) <= 1

    @invariant()
    def no_number_falls(self) -> None:
        for mirror in Mirror.objects.filter(topic__in=TOPIC_OF.values()):
            stands = self.world.copies.get(mirror.key, (0, None))[0]
            assert stands >= self.highest.get(mirror.key, 0), "I5: the copy fell"
            assert mirror.applied_version <= stands <= mirror.version, "I5: a number nobody took, or none that was"
            self.highest[mirror.key] = stands

    @invariant()
    def no_mail_without_its_reason(self) -> None:
        doubts = Counter(Attempt.objects.filter(outcome="in_doubt").values_list("effect", flat=True))
        for pk, claims in self.world.mails.items():
            count = len(claims)
            assert count <= 1 + self.allowed[pk], f"I7: #{pk} left {count} times"
            assert count <= 1 + doubts[pk], f"I7: #{pk} left {count} times, and it was never in doubt"

    def comes_to_rest(self) -> None:
        """Everybody is alive and the world is well: whatever is not before a person is done, and done right."""
        self.world.how = "ok"
        for _ in range(30):
            if not Effect.objects.unfinished().exclude(depends_on__state=State.DEAD).exists():
                break
            pass_time(DAYS)
            sweep()
            host.drain()
        stuck = set(Effect.objects.filter(state=State.DEAD).values_list("topic", "key"))
        for mirror in Mirror.objects.filter(topic__in=TOPIC_OF.values()):
            if not {(mirror.topic, mirror.key), ("thing.edge", mirror.key)} & stuck:
                wanted = (mirror.applied_version, self.world.rows.get(mirror.key))
                assert self.world.copies[mirror.key] == wanted, f"I6: {mirror.key} stands as it should not"
        waiting = {v for v in violations(at=clock() - DAYS) if v.invariant != "I2"}
        assert not waiting


def test_no_order_of_transitions_breaks_an_invariant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failing, "backoff", lambda tries: 60.0)  # chance is hypothesis's alone
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
