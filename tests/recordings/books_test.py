"""sluice books prints, for every recording there is, exactly the lines of its truth, and ends with its books.

usage: books_test.py [SLUICE]     (else SLUICE_BIN, else build/bin/sluice)
Data: SLUICE_TEST_DATA, by default ../shared/market-data beside the repository. Without it: exit code 77.
"""
import gzip
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = os.environ.get("SLUICE_TEST_DATA") or os.path.join(ROOT, "..", "shared", "market-data")
SLUICE = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SLUICE_BIN", os.path.join(ROOT, "build/bin/sluice"))
VENUES = ("binance", "upbit")  # file names begin with these
FOREIGN = ("okx", "kraken", "coinbase", "huobi", "bybit", "deribit")

failures = []


def check(ok, name, words):
    if not ok:
        failures.append(f"{name}: {words}")


def run(*args):
    return subprocess.run([SLUICE, "books", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)


def recordings():
    for folder, truth in (("recordings", "truth"), ("faults", "faults")):
        path = os.path.join(DATA, folder)
        for name in sorted(os.listdir(path)) if os.path.isdir(path) else []:
            if name.startswith(VENUES) and name.endswith(".jsonl.gz"):
                stem = name[: -len(".jsonl.gz")]
                yield os.path.join(path, name), os.path.join(DATA, truth, stem)


def first_difference(got, want):
    got, want = got.splitlines(), want.splitlines()
    for i, (a, b) in enumerate(zip(got, want)):
        if a != b:
            return f"output line {i + 1}: got {a!r}, expected {b!r}"
    return f"{len(got)} lines, expected {len(want)}"


def check_books(name, stats, truth):
    """The books at the end: state, number of levels, update id."""
    books = {}
    for line in stats.splitlines():
        m = re.match(r"  (\S+) +\S.* (LIVE|STALE).*, levels (\d+)/(\d+), seq (\d+)", line)
        if m:
            books[m[1]] = (m[2] == "LIVE", [int(m[3]), int(m[4])], int(m[5]))
    for symbol, want in truth["symbols"].items():
        if symbol not in books:
            check(not want["synced"], name, f"{symbol}: no book")
            continue
        live, levels, seq = books[symbol]
        check(live == want["synced"], name, f"{symbol}: live {live}, expected {want['synced']}")
        if live:
            check(levels == want["levels"], name, f"{symbol}: levels {levels}, expected {want['levels']}")
            check(seq in (0, want["last_seq"]), name, f"{symbol}: seq {seq}, expected {want['last_seq']}")


def check_events(name, stats, truth):
    """Every gap, rejected snapshot and parse error, at its line, and no other."""
    words = {"gap": "gap", "snapshot_too_old": "snapshot rejected", "parse_error": "parse error"}
    want = sorted((e["line"], words[e["event"]]) for e in truth["events"] if e["event"] in words)
    got = sorted((int(m[1]), m[2]) for m in re.finditer(r"^line (\d+): (gap|snapshot rejected|parse error):", stats, re.M))
    check(got == want, name, f"events {got}, expected {want}")


def check_recording(path, truth_stem):
    name = os.path.basename(path)
    done = run(path, "--stats")
    stats = done.stderr.decode()
    check(done.returncode == 0, name, f"exit code {done.returncode}: {stats[-300:]}")
    with gzip.open(truth_stem + ".bbo.txt.gz") as f:
        want = f.read()
    check(done.stdout == want, name, first_difference(done.stdout, want))
    with gzip.open(truth_stem + ".truth.json.gz") as f:
        truth = json.load(f)
    check_books(name, stats, truth)
    check_events(name, stats, truth)
    instruments = os.path.join(DATA, "instruments.json")
    if os.path.exists(instruments):
        told = run(path, "--instruments", instruments)
        check(told.stdout == want, name, "with --instruments: " + first_difference(told.stdout, want))
        check(told.stderr == b"", name, f"says in a pipe: {told.stderr[:200]}")


def main():
    if not os.path.isdir(os.path.join(DATA, "recordings")):
        print(f"skipped: no recordings in {DATA}; set SLUICE_TEST_DATA to the folder of market data")
        return 77
    count = 0
    for path, truth_stem in recordings():
        check_recording(path, truth_stem)
        count += 1
    if count == 0:
        print(f"skipped: no recordings of {' or '.join(VENUES)} in {DATA}")
        return 77
    for name in sorted(os.listdir(os.path.join(DATA, "recordings"))):
        if name.startswith(FOREIGN):
            done = run(os.path.join(DATA, "recordings", name))
            check(done.returncode == 1 and b"no line of a venue that is known" in done.stderr, name,
                  f"exit code {done.returncode}: {done.stderr[-200:]}")
    for failure in failures:
        print("FAILED", failure)
    print(f"{count} recordings, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
