#!/usr/bin/python3
"""Another language's msgpack decodes every vector, and every field equals the JSON form beside it.

The dictionary is read here anew, by regular expressions, so that a mistake in the C macros shows as a difference.
usage: vectors_test.py PROTO_DIRECTORY
"""
import decimal
import json
import pathlib
import re
import sys

import msgpack

decimal.getcontext().prec = 60
HOPS = ["feed_out", "strategy_in", "strategy_out", "risk_in", "risk_out", "exec_in", "exec_out", "exec_fill"]


def read_dictionary(path):
    text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
    enums, records, messages = {}, {}, {}
    for name, values in re.findall(r"^ENUM\((\w+)\)(.*?)^END_ENUM", text, flags=re.S | re.M):
        enums[name] = {int(n): t for n, t in re.findall(r'VALUE\(\w+, \w+, (\d+), "([^"]*)"\)', values)}
    for what, head, fields in re.findall(r"^(RECORD|MESSAGE)\((.*?)$(.*?)^END_(?:RECORD|MESSAGE)", text, flags=re.S | re.M):
        parts = [p.strip() for p in head.split(",")]
        found = []
        for macro, arguments in re.findall(r"^(FIELD\w*)\((.*)\)$", fields, flags=re.M):
            a = [p.strip() for p in arguments.split(",")]
            found.append((a[1], a[0], None) if macro == "FIELD" else (a[0], macro[len("FIELD_"):], a[1]))
        records[(what, parts[0])] = found
        if what == "MESSAGE":
            messages[int(parts[2])] = parts[0]
    return enums, records, messages


class Comparison:
    def __init__(self, enums, records):
        self.enums, self.records, self.fields = enums, records, 0

    def value(self, where, kind, extra, wire, shown, exponents):
        self.fields += 1
        if kind in ("PRICE", "QTY"):
            expected = decimal.Decimal(wire).scaleb(exponents[kind])
            ok = type(wire) is int and type(shown) is str and decimal.Decimal(shown) == expected
        elif kind == "DEC":
            ok = type(shown) is str and len(wire) == 2 and decimal.Decimal(shown) == decimal.Decimal(wire[0]).scaleb(wire[1])
        elif kind == "MONEY":
            ok = type(wire) is str and decimal.Decimal(shown) == decimal.Decimal(wire)
        elif kind == "ENUM":
            ok = type(wire) is int and self.enums[extra][wire] == shown
        elif kind == "STR":
            ok = type(wire) is str and wire == shown and len(wire.encode()) < int(extra)
        elif kind == "BOOL":
            ok = type(wire) is bool and wire is shown
        else:
            ok = type(wire) is int and type(shown) is int and wire == shown
        assert ok, f"{where}: {kind} {wire!r} on the wire, {shown!r} in JSON"

    def record(self, where, fields, wire, shown, outer):
        assert len(wire) == len(fields), f"{where}: {len(wire)} values, {len(fields)} fields"
        exponents = dict(outer)
        for (name, kind, _), value in zip(fields, wire):
            if kind == "EXP" and name in ("price_exp", "qty_exp"):
                exponents["PRICE" if name == "price_exp" else "QTY"] = value
        if [kind for _, kind, _ in fields] == ["PRICE", "QTY"]:
            shown = dict(zip([name for name, _, _ in fields], shown))
        assert list(shown) == [name for name, _, _ in fields], f"{where}: fields {list(shown)}"
        for (name, kind, extra), value in zip(fields, wire):
            if kind == "LIST":
                assert len(value) == len(shown[name]), f"{where}.{name}: {len(value)} against {len(shown[name])}"
                for i, (element, text) in enumerate(zip(value, shown[name])):
                    self.record(f"{where}.{name}[{i}]", self.records[("RECORD", extra)], element, text, exponents)
            else:
                self.value(f"{where}.{name}", kind, extra, value, shown[name], exponents)

    def trace(self, where, wire, shown):
        expected = {}
        if wire is not None:
            expected = dict(zip(["venue_time", "recv_utc", "recv_mono", "boot_id"], wire[:4]))
            expected.update(zip(HOPS, wire[4]))
            expected = {name: stamp for name, stamp in expected.items() if stamp != 0}
        assert expected == shown, f"{where}: trace {expected} against {shown}"


def compare(path, comparison, messages):
    wire = msgpack.unpackb(path.read_bytes(), strict_map_key=True)
    shown = json.loads(path.with_suffix(".json").read_text())
    where = path.name
    assert len(wire) == 9 and wire[0] == 1, f"{where}: envelope {wire[:2]}"
    assert messages[wire[1]] == shown["type"], f"{where}: type {wire[1]} is {shown['type']}"
    assert shown["type"] == path.name.split(".")[0], f"{where}: holds a {shown['type']}"
    env = shown["env"]
    for name, value in zip(["stream", "epoch", "seq", "pos", "time_out"], wire[2:7]):
        assert env[name] == value, f"{where}: {name} {value} against {env[name]}"
    comparison.trace(where, wire[7], env.get("trace", {}))
    body = comparison.records[("MESSAGE", shown["type"])]
    comparison.record(where, body, wire[8], shown["body"], {"PRICE": 0, "QTY": 0})


def main():
    proto = pathlib.Path(sys.argv[1])
    enums, records, messages = read_dictionary(proto / "dictionary.def")
    comparison = Comparison(enums, records)
    vectors = sorted((proto / "vectors").glob("*.msgpack"))
    for path in vectors:
        compare(path, comparison, messages)
    seen = {path.name.split(".")[0] for path in vectors}
    assert seen == set(messages.values()), f"no vector of {set(messages.values()) - seen}"
    assert all(len(list((proto / 'vectors').glob(name + '.*.msgpack'))) >= 2 for name in seen)
    print(f"{len(vectors)} vectors of {len(seen)} message types, {comparison.fields} fields equal")


if __name__ == "__main__":
    main()
