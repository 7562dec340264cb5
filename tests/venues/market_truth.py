"""What each book was after each of its messages, as a recording has them: by the venues' rules, with dictionaries of
Decimal, by nothing of the programs under test."""
import collections
import datetime
import gzip
import json
from decimal import Decimal

# line of the recording, moment in it (s), the venue's count or time, best first
State = collections.namedtuple("State", "line at_s seq time_ns bids asks changes")
MS = 1_000_000


def top(side, highest, n):
    return tuple((p, side[p]) for p in sorted(side, reverse=highest)[:n])


def put(side, levels):
    for price, qty in levels:
        price, qty = Decimal(price), Decimal(qty)
        if qty == 0:
            side.pop(price, None)
        else:
            side[price] = qty


def cut(sides, depth):
    for side, highest in zip(sides, (True, False)):
        for price in sorted(side, reverse=highest)[depth:]:
            del side[price]


def utc_ns(text):
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (int(moment.timestamp()) * 1_000_000 + moment.microsecond) * 1000


def numbers(text):
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


class Truth:
    """States of each symbol by the venue's name, in order. depth: levels that are kept of each."""

    def __init__(self, venue, path, depth):
        self.venue, self.depth, self.states, self.books = venue, depth, collections.defaultdict(list), {}
        self.waiting = collections.defaultdict(list)
        self.kraken_depth = 10**9
        read = {"upbit": self.upbit, "okx": self.okx, "kraken": self.kraken}.get(venue, self.binance)
        with gzip.open(path, "rt") as lines:
            for number, line in enumerate(lines, 1):
                record = json.loads(line)
                if record["dir"] == "in" and record.get("msg"):
                    self.line, self.at_s = number, record["t"]
                    read(record)
        self.at = {name: collections.defaultdict(list) for name in self.states}
        for name, states in self.states.items():
            for state in states:
                self.at[name][state.seq or state.time_ns].append(state)

    def keep(self, name, seq, time_ns, changes=None):
        bids, asks = self.books[name]
        self.states[name].append(State(self.line, self.at_s, seq, time_ns, top(bids, True, self.depth),
                                       top(asks, False, self.depth), changes))

    def binance(self, record):
        text = record["msg"]
        if record["kind"] == "http":
            name = record["url"].split("symbol=")[1].split("&")[0]
            if "/depth" in record["url"] and name not in self.books:
                snapshot = json.loads(text)
                self.books[name] = ({}, {})
                put(self.books[name][0], snapshot["bids"])
                put(self.books[name][1], snapshot["asks"])
                self.keep(name, snapshot["lastUpdateId"], 0)
                for event in self.waiting.pop(name, []):
                    self.diff(event, snapshot["lastUpdateId"])
            return
        if '"depthUpdate"' not in text:
            return
        event = json.loads(text)
        event = event.get("data", event)
        if event["s"] in self.books:
            self.diff(event, self.states[event["s"]][-1].seq)
        else:
            self.waiting[event["s"]].append(event)

    def diff(self, event, last):
        if event["u"] <= last:
            return
        put(self.books[event["s"]][0], event["b"])
        put(self.books[event["s"]][1], event["a"])
        self.keep(event["s"], event["u"], event["E"] * MS)

    def upbit(self, record):
        for one in (found if isinstance(found := numbers(record["msg"]), list) else [found]):
            if (one.get("type") or one.get("ty")) != "orderbook":
                continue
            name, units = one.get("code") or one.get("cd"), one.get("orderbook_units") or one.get("obu")
            bids, asks = {}, {}
            for unit in units:
                put(bids, [(unit.get("bid_price", unit.get("bp")), unit.get("bid_size", unit.get("bs")))])
                put(asks, [(unit.get("ask_price", unit.get("ap")), unit.get("ask_size", unit.get("as")))])
            self.books[name] = (bids, asks)
            self.keep(name, 0, int(one.get("timestamp", one.get("tms"))) * MS)

    def okx(self, record):
        if '"action"' not in record["msg"]:
            return
        message = json.loads(record["msg"])
        name, data = message["arg"]["instId"], message["data"][0]
        if message["action"] == "snapshot":
            self.books[name] = ({}, {})
        changes = [[level[:2] for level in data[side]] for side in ("bids", "asks")]
        for side, levels in zip(self.books[name], changes):
            put(side, levels)
        self.keep(name, data.get("seqId", 0), int(data["ts"]) * MS, changes)

    def kraken(self, record):
        text = record["msg"]
        if '"subscribe"' in text and '"depth"' in text:
            self.kraken_depth = int(json.loads(text)["result"]["depth"])
        if not text.startswith('{"channel":"book"'):
            return
        message = numbers(text)
        data = message["data"][0]
        name = data["symbol"]
        if message["type"] == "snapshot":
            self.books[name] = ({}, {})
        changes = [[(level["price"], level["qty"]) for level in data[side]] for side in ("bids", "asks")]
        for side, levels in zip(self.books[name], changes):
            put(side, levels)
        cut(self.books[name], self.kraken_depth)
        self.keep(name, 0, utc_ns(data["timestamp"]) if "timestamp" in data else 0, changes)

    def after(self, name, line):
        """The first state behind a line; None: there is no more."""
        return next((state for state in self.states[name] if state.line > line), None)

    def shows(self, name, line, n):
        """Whether, of the n best levels, one is wrong behind the next change, had the message at the line not come."""
        states = self.states[name]
        i = next(i for i, state in enumerate(states) if state.line >= line)
        if i == 0 or i + 1 == len(states):
            return False
        before, after = ([dict(side) for side in (state.bids, state.asks)] for state in (states[i - 1], states[i + 1]))
        for side, levels in zip(before, states[i + 1].changes):
            put(side, levels)
        return any(top(a, highest, n) != top(b, highest, n) for a, b, highest in zip(before, after, (True, False)))

    def on(self, name, line):
        return next((state for state in self.states[name] if state.line >= line), None)
