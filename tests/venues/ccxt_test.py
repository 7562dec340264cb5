"""A client library that others wrote, ccxt, reads from `sluice emulate` the order books that the truth files tell.

usage: ccxt_test.py [SLUICE]     (else SLUICE_BIN_DIR/sluice, else build/bin/sluice)
Recordings: SLUICE_TEST_DATA, by default ../shared/market-data beside the repository.
ccxt: installed from npm into SLUICE_CCXT_DIR, by default a folder that is removed at the end. Without recordings, node or
npm's registry: exit code 77.
"""
import atexit
import collections
import decimal
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
DATA = os.environ.get("SLUICE_TEST_DATA") or os.path.join(ROOT, "..", "shared", "market-data")
SLUICE = sys.argv[1] if len(sys.argv) > 1 else os.path.join(
    os.environ.get("SLUICE_BIN_DIR", os.path.join(ROOT, "build/bin")), "sluice")
VERSION = "4.5.84"
SPEED = 3
CASES = (
    ("binance", "binance_spot_multi_20210417", ("VETETH", "SWRVBUSD", "AAVEUPUSDT", "BUSDTRY")),
    ("upbit", "upbit_multi_20210417", ("KRW-LAMB", "KRW-WAVES", "BTC-XTZ", "BTC-ITAM", "BTC-PAX")),
)

failures = []


def skip(words):
    print(f"SKIPPED, the emulator was not checked by ccxt: {words}")
    sys.exit(77)


def ccxt_folder():
    """A folder with node_modules/ccxt in it."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            skip(f"{program} is not installed")
    folder = os.environ.get("SLUICE_CCXT_DIR")
    if not folder:
        folder = tempfile.mkdtemp(prefix="sluice-ccxt-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if not os.path.isdir(os.path.join(folder, "node_modules", "ccxt")):
        os.makedirs(folder, exist_ok=True)
        command = ["npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--ignore-scripts", f"ccxt@{VERSION}"]
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=180, check=False)
        except subprocess.TimeoutExpired:
            skip("npm took longer than three minutes")
        if done.returncode != 0:
            skip("npm cannot install it: " + done.stdout.decode(errors="replace").strip()[-300:])
    return folder


def truth_of(venue, name):
    """Best prices and ten levels by (symbol, number): the update id, or at Upbit the time in ms.

    Of one time at Upbit there may be several books: each is taken.
    """
    best, levels = collections.defaultdict(list), {}
    numbers = {}
    with gzip.open(os.path.join(DATA, "recordings", name + ".jsonl.gz"), "rt") as lines:
        for line, text in enumerate(lines, 1):
            record = json.loads(text)
            if record["kind"] == "ws" and record["dir"] == "in":
                message = json.loads(record["msg"])
                message = message.get("data", message)
                numbers[line] = message.get("u") if venue == "binance" else message.get("tms")
    with gzip.open(os.path.join(DATA, "truth", name + ".bbo.txt.gz"), "rt") as lines:
        for text in lines:
            line, symbol, *prices = text.split()
            if int(line) in numbers:
                best[symbol, numbers[int(line)]].append(prices)
    with gzip.open(os.path.join(DATA, "truth", name + ".truth.json.gz"), "rt") as file:
        for checkpoint in json.load(file)["checkpoints"]:
            for symbol, book in checkpoint["books"].items():
                levels[symbol, book["seq"]] = (book["bids"], book["asks"])
    return best, levels


def number(value):
    """The decimal that a number of the other language stands for, as truth files write it."""
    text = format(decimal.Decimal(repr(value)).normalize(), "f")
    return text


def read_books(folder, venue, recording, symbols):
    command = [SLUICE, "emulate", recording, "--speed", str(SPEED)]
    direct = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as emulator:
        try:
            listening = json.loads(emulator.stdout.readline())
            seconds = 36 / SPEED + 2
            done = subprocess.run(
                ["node", os.path.join(HERE, "ccxt_books.mjs"), folder, venue, listening["ws"], listening["rest"],
                 str(seconds), *symbols],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, check=False, env=direct)
        finally:
            emulator.terminate()
            told = emulator.stdout.read().decode()
    if done.returncode != 0:
        failures.append(f"{venue}: ccxt: {done.stderr.decode(errors='replace')[-2000:]}")
    if "limit-broken" in told:
        failures.append(f"{venue}: ccxt was told to have broken a limit: {told}")
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def compare(venue, book, best, levels, seen):
    key = book["id"], book["nonce"] if venue == "binance" else book["timestamp"]
    bids, asks = ([[number(p), number(q)] for p, q in side] for side in (book["bids"], book["asks"]))
    got = (bids[0] if bids else ["-", "-"]) + (asks[0] if asks else ["-", "-"])
    if key in best:
        seen[book["id"]] += 1
        if got not in best[key]:
            failures.append(f"{venue}: {key}: best {got}, expected {best[key]}")
    if key in levels and len(best[key]) <= 1:
        seen["checkpoints"] += 1
        if [bids, asks] != list(levels[key]):
            failures.append(f"{venue}: {key}: levels {bids} {asks}, expected {levels[key]}")


def main():
    if not os.path.isdir(os.path.join(DATA, "recordings")):
        skip(f"no recordings in {DATA}")
    folder = ccxt_folder()
    for venue, name, symbols in CASES:
        recording = os.path.join(DATA, "recordings", name + ".jsonl.gz")
        if not os.path.exists(recording):
            skip(f"no {recording}")
        best, levels = truth_of(venue, name)
        seen = collections.Counter()
        for book in read_books(folder, venue, recording, symbols):
            compare(venue, book, best, levels, seen)
        print(f"{venue}: books compared at the same number: {dict(seen)}")
        for symbol in (*symbols, "checkpoints"):
            if seen[symbol] < 5:
                failures.append(f"{venue}: {symbol}: {seen[symbol]} books were compared, expected at least 5")
    for failure in failures[:20]:
        print("FAILED", failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
