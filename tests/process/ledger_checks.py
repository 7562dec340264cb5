"""What must hold of the ledgers of a run, whatever has died in it: for tests to call once the run has settled or ended.

    check_ownership(run)           every accepted decision is of the worker that owned its route at that position
    check_epochs_rise(run)         positions have no hole, and the epochs of ledgers and of routes only rise
    check_client_ids_unique(run)   the venue was sent no client id twice, and none that exec did not write first
    check_decisions_have_ends(run) every accepted decision has one basket, that ended, with all its orders

`run` is a Run of harness.py or the path of a run directory. The ledgers are read from the journals' files by
`sluice journal cat`; where a journal no longer has its beginning, what only the beginning could tell is not held against
it. Each check raises AssertionError with the place of what is wrong, and returns what it has counted.
"""
import collections
import json
import pathlib
import subprocess

from harness import PATIENCE, check, check_equal, program

TERMINAL = {"Filled", "Canceled", "Rejected", "Expired", "Denied"}
ACCEPTED = {"accept", "accept-less"}

Owner = collections.namedtuple("Owner", "worker incarnation route_epoch")
Record = collections.namedtuple("Record", "type epoch pos time_out body")


def directory(run):
    return pathlib.Path(getattr(run, "dir", run))


def ledger(run, name):
    """The records of risk's or exec's journal, in order."""
    argv = [program(), "journal", "cat", directory(run) / "journal" / name]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as cat:
        for line in cat.stdout:
            told = json.loads(line)
            check("body" in told, f"a record of {name} can be read: {line.strip()}")
            env = told["env"]
            yield Record(told["type"], env["epoch"], env["pos"], env["time_out"], told["body"])
        words = cat.stderr.read()
        code = cat.wait(10 * PATIENCE)
    check_equal(code, 0, f"exit status of journal cat of {name}: {words}")


def place(record):
    return f"({record.epoch}, {record.pos})"


def accepted(record):
    return record.type == "decision" and record.body["verdict"] in ACCEPTED


def owner_of(body):
    return Owner(body["worker"], body["incarnation"], body["route_epoch"])


def check_ownership(run):
    """Returns a Counter: "accepted", and the rejects by their reasons (a record that folds n of them counts n)."""
    owners, counted, begins = {}, collections.Counter(), None
    for record in ledger(run, "risk"):
        begins = begins or record.pos
        body = record.body
        if record.type == "assign":
            owners[body["route"]] = owner_of(body)
        elif accepted(record):
            counted["accepted"] += 1
            owner = owners.get(body["route"])
            if owner is None and begins > 1:
                continue  # its assignment is in the part that was freed
            check_equal(owner_of(body), owner, f"risk {place(record)}: an accepted intent's worker, incarnation and "
                                               f"route epoch are those of {body['route']}'s owner")
            check(owner.worker, f"risk {place(record)}: {body['route']} has an owner")
        elif record.type == "decision":
            counted[body["reason"]] += body["count"]
    return counted


def check_epochs_rise(run):
    """Returns the number of records by ledger."""
    counted = {}
    for name in ("risk", "exec"):
        before, routes, fence, count = None, {}, (0, 0), 0
        for record in ledger(run, name):
            count += 1
            body = record.body
            if before:
                check_equal(record.pos, before.pos + 1, f"{name}: position behind {place(before)}")
                opens = record.type == "epoch"
                check(record.epoch > before.epoch if opens else record.epoch == before.epoch,
                      f"{name} {place(record)}: {record.type} has epoch {record.epoch}, behind {before.epoch}")
                if opens:
                    check_equal((body["base_epoch"], body["base_pos"]), (before.epoch, before.pos),
                                f"{name} {place(record)}: base of the epoch")
            elif record.pos == 1:
                check_equal(record.type, "epoch", f"{name}: its first word")
            if record.type == "assign":
                last = routes.get(body["route"])
                check(last is None or body["route_epoch"] == last + 1,
                      f"risk {place(record)}: {body['route']} goes from route epoch {last} to {body['route_epoch']}")
                routes[body["route"]] = body["route_epoch"]
            elif record.type == "upstream":
                now = (body["risk_epoch"], body["risk_pos"])
                check(now >= fence, f"exec {place(record)}: what it has taken of risk goes from {fence} back to {now}")
                fence = now
            before = record
        counted[name] = count
    return counted


def paper_log(run):
    """The whole lines of the paper venue's log, as lists of words."""
    text = (directory(run) / "paper.log").read_text()
    return [line.split(" ") for line in text[:text.rfind("\n") + 1].splitlines()]


def check_client_ids_unique(run):
    """Returns how many orders the venue has taken."""
    times = collections.Counter(words[2] for words in paper_log(run) if words[0] == "O")
    check_equal({name: n for name, n in times.items() if n > 1}, {}, "client ids that paper.log has more than once")
    trades = collections.Counter(words[2] for words in paper_log(run) if words[0] == "F")
    check_equal({name: n for name, n in trades.items() if n > 1}, {}, "trades that paper.log has more than once")
    written, begins, fills = set(), None, collections.Counter()
    for record in ledger(run, "exec"):
        begins = begins or record.pos
        if record.type == "order":
            written.add(record.body["client_id"])
        elif record.type == "fill":
            fills[record.body["venue"], record.body["trade_id"]] += 1
    check_equal({name: n for name, n in fills.items() if n > 1}, {}, "trades that exec's ledger has more than once")
    if begins == 1:
        check_equal(sorted(set(times) - written), [], "client ids of paper.log that are none of exec's")
    return len(times)


def check_decisions_have_ends(run, unknown_allowed=False):
    """unknown_allowed: an order may still be Unknown. Returns how many accepted decisions were followed to their end."""
    states, baskets, opened = {}, {}, collections.Counter()
    begins = None
    for record in ledger(run, "exec"):
        begins = begins or record.pos
        body = record.body
        decision = (body.get("risk_epoch"), body.get("risk_pos"))
        if record.type == "order":
            states[body["client_id"]] = (body["state"], place(record))
        elif record.type == "basket":
            opened[decision] += body["state"] == "open" and bool(body["legs"])
            baskets[decision] = (body["terminal"], body["state"], place(record))
    whole = begins == 1
    twice = [f"{decision}" for decision, n in opened.items() if n > 1]
    check_equal(twice, [], "decisions on which exec opened a basket twice")
    allowed = TERMINAL | ({"Unknown"} if unknown_allowed else set())
    open_orders = [f"{name} {state} at {at}" for name, (state, at) in states.items() if state not in allowed]
    check_equal(open_orders, [], "orders that have no end in exec's ledger")
    open_baskets = [f"{decision} {state} at {at}" for decision, (terminal, state, at) in baskets.items()
                    if not terminal]
    check_equal(open_baskets, [], "baskets that have no end in exec's ledger")
    decided, risk_begins = set(), None
    for record in ledger(run, "risk"):
        risk_begins = risk_begins or record.pos
        if accepted(record):
            decided.add((record.epoch, record.pos))
    first = (0, 0) if whole else min(baskets, default=(1 << 64, 0))
    check_equal(sorted(d for d in decided if d >= first and d not in baskets), [],
                "accepted decisions of which exec's ledger knows nothing")
    if risk_begins == 1:
        check_equal(sorted(set(baskets) - decided), [], "baskets without an accepted decision")
    return sum(d in baskets for d in decided)
