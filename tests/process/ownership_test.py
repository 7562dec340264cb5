#!/usr/bin/python3
"""Who may trade what: workers that join, leave, die, hang and come back, in real runs; no route ever has two owners."""
import contextlib
import os
import signal
import time

import msgpack
import zmq

from harness import NUMBERS, MESSAGES, ENUMS, PATIENCE, Run, check, check_equal, main, program, wait_until
from ledger_checks import (accepted, check_client_ids_unique, check_decisions_have_ends, check_epochs_rise,
                           check_ownership, ledger, owner_of)

LEASE_S = 1.0
SYMBOLS = 40
MARKET = ["--symbols", str(SYMBOLS), "--set", "sim.dislocations_per_min=1200", "--set", "arb.cool_down_ms=100",
          "--set", "sim.updates_per_s=10", "--set", "journal.snapshot_every=100"]
# Entries are held until they are four seconds old.
HELD = ["--set", "arb.max_hold_ms=4000", "--set", "arb.take_profit_bps=0", "--set", "arb.stop_loss_bps=0"]


def lease(seconds):
    return ["--set", f"risk.lease_ms={round(seconds * 1000)}"]


def last_assignments(run):
    """Route -> the last assign record."""
    return {r.body["route"]: r for r in ledger(run, "risk") if r.type == "assign"}


def owners(run):
    return {route: record.body["worker"] for route, record in last_assignments(run).items()}


def settled_owners(run, where=lambda owners: True):
    """Waits until every route has an owner, `where` is true of them, and nothing has changed for a second."""
    before = {"at": time.monotonic(), "owners": None}

    wait_until(lambda: any(run.dir.glob("journal/risk/*.log")), 10, "risk's journal")

    def steady():
        run.check_running()
        now = owners(run)
        if len(now) != SYMBOLS or "" in now.values() or not where(now) or now != before["owners"]:
            before.update(at=time.monotonic(), owners=now)
        return now if time.monotonic() - before["at"] > 1 else None

    return wait_until(steady, 20, f"{SYMBOLS} routes whose owners do not change")


class Worker:
    """A worker that nobody starts again."""

    def __init__(self, run, name):
        run.wait_for_pid("risk")  # there is a run directory
        self.name = name
        self.process = run.start([program("sluice-strategy"), "--dir", run.dir, "--name", name], f"{name}.out")

    def signal(self, number):
        """Returns the time at which it was sent, ns UTC."""
        now = time.time_ns()
        os.kill(self.process.pid, number)
        return now

    def wait(self, status):
        code = self.process.wait(5 * PATIENCE)
        check_equal(code, status, f"exit status of {self.name}")


def incarnation_of(run, name):
    """Of its last life that risk has heard of."""
    lives = [r.body["incarnation"] for r in ledger(run, "risk") if r.type == "session" and r.body["who"] == name
             and r.body["event"] == "worker-join"]
    return lives[-1]


def assigned_since(run, since_ns):
    return [r for r in ledger(run, "risk") if r.type == "assign" and r.time_out >= since_ns]


def stop_and_check(run):
    run.stop()
    counted = check_ownership(run)
    check(counted["accepted"] > 0, "something was accepted")
    check_epochs_rise(run)
    check_client_ids_unique(run)
    check_decisions_have_ends(run)
    check_equal(run.report()["reconciled"], True, "reconciled")
    return counted


def forge_intent(run, decision):
    """Sends the intent of a decision once more, under a new id, as a worker would that has not heard of anything."""
    body = dict(decision.body)
    body.update(id=1 << 40, state_epoch=decision.epoch, state_pos=decision.pos, decided_mono=time.monotonic_ns(),
                deadline=body["deadline"] + 60_000_000_000)
    for name in ("kind", "cause", "tif", "policy"):
        enum = {"kind": "intent_kind", "cause": "exit_cause", "tif": "time_in_force", "policy": "basket_policy"}[name]
        body[name] = ENUMS[enum][body[name]]
    body["slippage_bps"] = [5, 0]
    body["legs"] = []
    fields = MESSAGES[NUMBERS["intent"]][1]
    envelope = [1, NUMBERS["intent"], body["worker"], body["incarnation"], 0, 0, time.time_ns(), None,
                [body[name] for name in fields]]
    with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
        socket.setsockopt(zmq.LINGER, 2000)
        socket.connect(run.endpoint("risk.intents"))
        socket.send(msgpack.packb(envelope))
    return body["id"]


def a_worker_that_joins_takes_only_its_share_and_gives_it_back_at_once_with_its_goodbye():
    with Run("--workers", "3", *MARKET, *lease(5)) as run:
        before = settled_owners(run)
        check_equal(sorted(set(before.values())), ["strategy-1", "strategy-2", "strategy-3"], "workers with routes")
        wait_until(lambda: all(any(run.dir.glob(f"journal/{name}/*.snap")) for name in ("risk", "exec")), 20,
                   "snapshots, with which the newcomer begins")
        joined = Worker(run, "strategy-4")
        with_it = settled_owners(run, lambda now: "strategy-4" in now.values())
        moved = {route for route in before if with_it[route] != before[route]}
        check_equal({with_it[route] for route in moved}, {"strategy-4"}, "to whom routes moved")
        check(SYMBOLS / 10 <= len(moved) <= SYMBOLS / 2.5, f"about a fourth of {SYMBOLS} routes moved: {len(moved)}")
        left_ns = joined.signal(signal.SIGTERM)
        joined.wait(0)
        wait_until(lambda: "strategy-4" not in owners(run).values(), 5, "its routes to be free")
        freed = [r for r in assigned_since(run, left_ns) if r.body["route"] in moved]
        check_equal({r.body["cause"] for r in freed}, {"goodbye"}, "why its routes moved")
        check(max(r.time_out for r in freed) - left_ns < 1e9 * PATIENCE, "they moved at once, long before its lease")
        check_equal(owners(run), before, "the owners after it is gone are those of before it came")
        stop_and_check(run)


def entered_by(run, name):
    """Routes that this worker has entered and owns, which hold a position and have no basket open."""
    entered, held, owned = {}, {}, {}
    for r in ledger(run, "risk"):
        if accepted(r):
            entered[r.body["route"]] = r if r.body["kind"] == "enter" else None
        elif r.type == "route":
            held[r.body["route"]] = r.body["entry_time"] != 0 and not r.body["busy"]
        elif r.type == "assign":
            owned[r.body["route"]] = r.body["worker"]
    return {route: r for route, r in entered.items()
            if r and held.get(route) and r.body["worker"] == owned[route] == name}


def a_killed_workers_routes_are_taken_over_with_their_positions():
    with Run("--workers", "1", *MARKET, *HELD, *lease(LEASE_S)) as run:
        doomed = Worker(run, "strategy-2")
        settled_owners(run, lambda now: "strategy-2" in now.values())
        wait_until(lambda: len(entered_by(run, "strategy-2")) > 2, 20, "positions that strategy-2 has entered")
        its_own = {route for route, worker in owners(run).items() if worker == "strategy-2"}
        killed_ns = doomed.signal(signal.SIGKILL)
        doomed.wait(-signal.SIGKILL)
        inherited = entered_by(run, "strategy-2")
        wait_until(lambda: set(owners(run).values()) == {"strategy-1"}, 5, "the other worker to own all routes")
        taken = {r.body["route"]: r for r in assigned_since(run, killed_ns)}
        check(its_own <= set(taken), "all its routes were assigned anew")
        check_equal({r.body["cause"] for r in taken.values()}, {"lease"}, "why")
        late = max(r.time_out for r in taken.values()) - killed_ns
        check(late < (LEASE_S + 1 * PATIENCE) * 1e9, f"within lease + 1 s: {late / 1e9:.3f} s")
        for route, entry in inherited.items():
            brought = taken[route].body
            check(brought["entry_time"] > 0 and all(leg["qty"] != "0" for leg in brought["legs"]),
                  f"the assignment brings the position that {route} has: {brought}")

        def exits():
            return {r.body["route"] for r in ledger(run, "risk") if r.body.get("route") in inherited and accepted(r)
                    and (r.body["kind"], r.body["worker"]) == ("exit", "strategy-1")
                    and r.pos > taken[r.body["route"]].pos}

        check(inherited, "it held positions when it died")
        wait_until(lambda: exits() == set(inherited), 15, "the heir to exit what the dead had entered")
        stop_and_check(run)


def a_hung_worker_that_wakes_can_do_nothing_until_it_is_assigned_anew():
    with Run("--workers", "1", *MARKET, *HELD, *lease(LEASE_S)) as run:
        hung = Worker(run, "strategy-2")
        settled_owners(run, lambda now: "strategy-2" in now.values())
        wait_until(lambda: entered_by(run, "strategy-2"), 20, "a position that strategy-2 has entered")
        life = incarnation_of(run, "strategy-2")
        hung.signal(signal.SIGSTOP)
        wait_until(lambda: set(owners(run).values()) == {"strategy-1"}, 10, "the other worker to own all routes")
        lost = last_assignments(run)
        stale = [r for r in ledger(run, "risk") if r.type == "decision" and r.body["worker"] == "strategy-2"][-1]
        intent_id = forge_intent(run, stale)
        answer = wait_until(lambda: next((r for r in ledger(run, "risk") if r.type == "decision"
                                          and r.body["intent_id"] == intent_id), None), 10, "risk's answer to a stale intent")
        check_equal((answer.body["verdict"], answer.body["reason"]), ("reject", "NOT_OWNER"), "the answer")
        woke_ns = hung.signal(signal.SIGCONT)
        settled_owners(run, lambda now: "strategy-2" in now.values())
        again = [r for r in assigned_since(run, woke_ns) if r.body["worker"] == "strategy-2"]
        check_equal({r.body["incarnation"] for r in again}, {life}, "it is the same life that has routes again")
        for r in again:
            check(r.body["route_epoch"] > lost[r.body["route"]].body["route_epoch"], f"a new epoch of {r.body['route']}")
        first_ns = min(r.time_out for r in again)
        early = [r for r in ledger(run, "risk") if accepted(r) and r.body["worker"] == "strategy-2"
                 and max(lost.values(), key=lambda a: a.pos).pos < r.pos and r.time_out < first_ns]
        check_equal(early, [], "what was accepted from it while it owned nothing")
        hung.signal(signal.SIGTERM)
        hung.wait(0)
        counted = stop_and_check(run)
        print(f"        rejected: {counted['NOT_OWNER']} NOT_OWNER, {counted['STATE_OLD']} STATE_OLD")


def a_restarted_worker_owns_its_routes_at_once_under_new_epochs_and_pins_hold():
    with Run("--workers", "3", "--routes", "2=BTC-,ETH-", *MARKET, *lease(8)) as run:
        before = settled_owners(run)
        of_second = {route for route, worker in before.items() if worker == "strategy-2"}
        check_equal({route.partition("-")[0] for route in of_second}, {"BTC", "ETH"}, "routes of the pinned worker")
        check_equal(sorted(set(before.values())), ["strategy-1", "strategy-2", "strategy-3"], "workers with routes")
        old, killed_ns = last_assignments(run), time.time_ns()
        life = incarnation_of(run, "strategy-1")
        run.kill("strategy-1")
        its_own = {route for route, worker in before.items() if worker == "strategy-1"}
        wait_until(lambda: its_own <= {r.body["route"] for r in assigned_since(run, killed_ns)}, 6,
                   "its routes under new epochs")
        for r in assigned_since(run, killed_ns):
            check_equal((r.body["worker"], r.body["cause"]), ("strategy-1", "incarnation"), f"assignment of {r.body['route']}")
            check_equal(r.body["route_epoch"], old[r.body["route"]].body["route_epoch"] + 1, "its epoch")
            check(r.body["incarnation"] != life, "it is a new life")
            check(r.time_out - killed_ns < 3e9 * PATIENCE, "at once, long before the lease")
        check_equal(owners(run), before, "owners after the restart")
        stop_and_check(run)


def a_prefix_that_fits_nothing_and_routes_that_nobody_may_take_are_said():
    with Run("--workers", "2", "--routes", "1=BTC-,ETH-", "--routes", "2=BCT-", "--symbols", "6", *lease(LEASE_S)) as run:
        wait_until(lambda: "strategy-2 takes only routes that begin with BCT-: there is none" in run.output(), 15,
                   "words about the prefix that fits nothing")
        wait_until(lambda: "| 4 routes without a worker" in run.output(), 10, "words about routes without a worker")
        check("strategy-1 takes only" not in run.output(), "nothing is said of a prefix that fits")
        check_equal({route.partition("-")[0]: worker for route, worker in owners(run).items()},
                    {"BTC": "strategy-1", "ETH": "strategy-1"}, "owners")
        run.stop()
        done = run.call([program(), "run", "--workers", "2", "--routes", "3=BTC-"])
        check_equal(done.returncode, 3, "exit status of a pin of a worker that is not started")
        check("--routes 3" in done.stderr and "1 to 2" in done.stderr, done.stderr)
        for wrong in [",BTC", "BTC,,ETH", "0=BTC", "x=BTC", "1=", "B" * 64]:
            done = run.call([program(), "run", "--routes", wrong])
            check_equal(done.returncode, 3, f"exit status of --routes {wrong}")
            check("PREFIX" in done.stderr, done.stderr)


def cut_last_record(journal):
    """Takes the tail of the newest segment away, as power loss does."""
    newest = max(journal.glob("*.log"))
    with open(newest, "r+b") as file:
        file.truncate(newest.stat().st_size - 1)


def a_worker_under_whom_risks_ledger_is_rolled_back_begins_anew():
    with Run("--workers", "2", *MARKET, *lease(8)) as run:
        before = settled_owners(run)
        wait_until(lambda: any(map(accepted, ledger(run, "risk"))), 20, "an accepted decision")
        lives = {name: incarnation_of(run, name) for name in ("strategy-1", "strategy-2")}
        os.kill(run.supervisor.pid, signal.SIGSTOP)
        run.kill("exec")  # nothing comes of what is about to be lost
        run.kill("risk")
        cut_last_record(run.dir / "journal/risk")
        os.kill(run.supervisor.pid, signal.SIGCONT)
        for name in lives:
            run.wait_for_log(name, "rollback")
        settled_owners(run, lambda now: now == before)
        for name, life in lives.items():
            check(incarnation_of(run, name) != life, f"{name} is a new life")
        began = max(r.pos for r in ledger(run, "risk") if r.type == "session" and r.body["event"] == "worker-join")
        wait_until(lambda: any(accepted(r) and r.pos > began for r in ledger(run, "risk")), 10, "them to trade again")
        run.stop()
        check_ownership(run)
        check_epochs_rise(run)


main(a_worker_that_joins_takes_only_its_share_and_gives_it_back_at_once_with_its_goodbye,
     a_killed_workers_routes_are_taken_over_with_their_positions,
     a_hung_worker_that_wakes_can_do_nothing_until_it_is_assigned_anew,
     a_restarted_worker_owns_its_routes_at_once_under_new_epochs_and_pins_hold,
     a_prefix_that_fits_nothing_and_routes_that_nobody_may_take_are_said,
     a_worker_under_whom_risks_ledger_is_rolled_back_begins_anew)
