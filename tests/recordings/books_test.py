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
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = os.environ.get("SLUICE_TEST_DATA") or os.path.join(ROOT, "..", "shared", "market-data")
SLUICE = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SLUICE_BIN", os.path.join(ROOT, "build/bin/sluice"))
VENUES = ("binance", "upbit", "okx", "kraken")  # file names begin with these
FOREIGN = ("coinbase", "huobi", "bybit", "deribit")
SAME_BOOKS = ("okx_tbt_20210722_conn1", "okx_tbt_20210722_conn2")  # two connections with the same subscriptions

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


def broken_checksums(truth):
    """Of each symbol the first line at which its checksum does not hold: from there on it must be STALE."""
    broken = {}
    for event in truth["events"]:
        if event["event"] == "checksum_bad":
            broken.setdefault(event["symbol"], event["line"])
    return broken


def without(bbo, broken):
    """The lines of best prices, but for those of a symbol from the line on at which its checksum does not hold."""
    kept = []
    for line in bbo.splitlines():
        number, symbol = line.split()[:2]
        if symbol.decode() not in broken or int(number) < broken[symbol.decode()]:
            kept.append(line)
    return b"\n".join(kept)


def books_of(stats):
    """State, number of levels and update id of each book, as --stats tells them at the end."""
    books = {}
    for line in stats.splitlines():
        m = re.match(r"  (\S+) +\S.* (LIVE|STALE).*, levels (\d+)/(\d+), seq (\d+)", line)
        if m:
            books[m[1]] = (m[2] == "LIVE", [int(m[3]), int(m[4])], int(m[5]))
    return books


def check_books(name, stats, truth):
    books, broken = books_of(stats), broken_checksums(truth)
    for symbol, line in broken.items():
        check(symbol in books and not books[symbol][0], name, f"{symbol}: LIVE though its checksum did not hold")
        first = re.search(rf"^line (\d+): {re.escape(symbol)} STALE: checksum$", stats, re.M)
        check(first is not None and int(first[1]) == line, name, f"{symbol}: STALE by its checksum {first}, expected at {line}")
    check(len(re.findall("STALE: checksum$", stats, re.M)) == len(broken), name, "a checksum did not hold that should")
    for symbol, want in truth["symbols"].items():
        if symbol not in books:
            check(not want["synced"], name, f"{symbol}: no book")
            continue
        if symbol in broken:
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
    with gzip.open(truth_stem + ".truth.json.gz") as f:
        truth = json.load(f)
    broken = broken_checksums(truth)
    with gzip.open(truth_stem + ".bbo.txt.gz") as f:
        want = f.read() if truth["bbo_lines"] else b""
    want = without(want, broken) + b"\n" if broken else want
    check(done.stdout == want, name, first_difference(done.stdout, want))
    check_books(name, stats, truth)
    check_events(name, stats, truth)
    instruments = os.path.join(DATA, "instruments.json")
    if os.path.exists(instruments):
        told = run(path, "--instruments", instruments)
        check(told.stdout == want, name, "with --instruments: " + first_difference(told.stdout, want))
        check(told.stderr == b"", name, f"says in a pipe: {told.stderr[:200]}")


def check_overlap():
    """Two connections that overlap lead to the books of one: nothing of the other spoils them."""
    paths = [os.path.join(DATA, "recordings", name + ".jsonl.gz") for name in SAME_BOOKS]
    if not all(os.path.exists(path) for path in paths):
        return
    lines = []
    for conn, path in enumerate(paths):
        with gzip.open(path, "rt") as f:
            lines += [{**json.loads(line), "conn": conn} for line in f]
    lines.sort(key=lambda line: line["t"])
    with gzip.open(os.path.join(DATA, "truth", SAME_BOOKS[0] + ".truth.json.gz")) as f:
        truth = json.load(f)
    with tempfile.TemporaryDirectory() as folder:
        merged = os.path.join(folder, "merged.jsonl.gz")
        with gzip.open(merged, "wt") as f:
            f.writelines(json.dumps(line) + "\n" for line in lines)
        done = run(merged, "--stats")
    stats = done.stderr.decode()
    check("STALE:" not in stats, "overlap", stats[:300])
    check_books("overlap", stats, truth)
    last = {line.split()[1]: line.split()[2:] for line in done.stdout.decode().splitlines()}
    for symbol, book in truth["checkpoints"][-1]["books"].items():
        best = [text for side in ("bids", "asks") for text in (book[side][0] if book[side] else "--")]
        check(last.get(symbol) == best, "overlap", f"{symbol}: best {last.get(symbol)}, expected {best}")


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
    check_overlap()
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
