"""`sluice emulate` as a plain WebSocket client sees it: frames, acknowledgements, snapshots that join, faults, TLS.

usage: emulate_test.py [SLUICE]     (else SLUICE_BIN_DIR/sluice, else build/bin/sluice)
Recordings: SLUICE_TEST_DATA, by default ../shared/market-data beside the repository. Without them, or without the
websockets module: exit code 77.
"""
import asyncio
import contextlib
import gzip
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zlib

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = os.path.join(os.environ.get("SLUICE_TEST_DATA") or os.path.join(ROOT, "..", "shared", "market-data"), "recordings")
SLUICE = sys.argv[1] if len(sys.argv) > 1 else os.path.join(
    os.environ.get("SLUICE_BIN_DIR", os.path.join(ROOT, "build/bin")), "sluice")

try:
    import websockets
except ImportError:
    print("SKIPPED: the websockets module is not installed (python3-websockets)")
    sys.exit(77)
if not os.path.isdir(DATA):
    print(f"SKIPPED: no recordings in {DATA}")
    sys.exit(77)

failures = []


def check(ok, words):
    if not ok:
        failures.append(words)
        print("FAILED", words)


def recording(name):
    return os.path.join(DATA, name + ".jsonl.gz")


def recorded(name):
    with gzip.open(recording(name), "rt") as lines:
        for line in lines:
            record = json.loads(line)
            if record["kind"] == "ws" and record["dir"] == "in":
                yield record["msg"]


@contextlib.contextmanager
def emulator(*args):
    with subprocess.Popen([SLUICE, "emulate", *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            process.listening = json.loads(process.stdout.readline())
            yield process
        finally:
            process.terminate()
            process.told = [json.loads(line) for line in process.stdout.read().decode().splitlines()]
    check(process.returncode == 0, f"{args}: exit {process.returncode}, expected 0")


def events(process, event):
    return [told for told in process.told if told["event"] == event]


def fetch(process, path):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(process.listening["rest"] + path, timeout=20) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read().decode()


async def get(process, path):
    return await asyncio.to_thread(fetch, process, path)


def connect(process, path, **options):
    return websockets.connect(process.listening["ws"] + path, max_size=None, **options)


async def hear(ws, seconds=20):
    return await asyncio.wait_for(ws.recv(), seconds)


# ---- arguments -------------------------------------------------------------------------------------------------


def wrong_arguments_are_told():
    one = recording("upbit_multi_20210417")
    for args, code, words in (
        ([], 2, "expected at least one recording"),
        ([one, "--fault", "dorp"], 2, "did you mean drop?"),
        ([one, "--fault", "drop@never"], 2, 'line "never": expected a whole number above 0'),
        ([one, "--fault", "elsewhere/drop"], 2, "expected an emulated venue's name"),
        ([one, "--speed", "fast"], 2, '--speed: "fast"; expected a number above 0, or max'),
        ([one, "--tls", "cert.pem"], 2, "two files, CERT and KEY"),
        ([one, "--tls", "/none.pem", "/none.key"], 1, "/none.pem"),
        (["/none.jsonl.gz"], 1, "/none.jsonl.gz"),
        ([recording("deribit_20210722")], 1, "expected a recording of one of binance"),
    ):
        done = subprocess.run([SLUICE, "emulate", *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=20, check=False)
        said = done.stderr.decode()
        check(done.returncode == code and words in said, f"{args}: exit {done.returncode}, said {said!r}")


# ---- Binance ---------------------------------------------------------------------------------------------------


async def a_whole_recording_comes_in_order_at_any_speed():
    name = "binance_spot_btcusdt_20240808"
    want = [msg for msg in recorded(name) if "@depth" in msg[:40]]
    with emulator(recording(name), "--speed", "max", "--end", "close") as process:
        async with connect(process, "/stream?streams=btcusdt@depth@100ms") as ws:
            got = []
            with contextlib.suppress(websockets.ConnectionClosed):
                while True:
                    got.append(await hear(ws))
        check(ws.close_code == 1000, f"closed with {ws.close_code}, expected 1000")
    check(got == want, f"{len(got)} messages, expected the {len(want)} that were recorded, as they were")


async def streams_are_raw_or_combined_and_snapshots_join():
    name = "binance_usdm_multi_20210722"
    with emulator(recording(name), "--speed", "4") as process:
        async with connect(process, "/ws") as ws:
            await ws.send('{"method":"SUBSCRIBE","params":["sushiusdt@depth"],"id":1}')
            check(json.loads(await hear(ws)) == {"result": None, "id": 1}, "an acknowledgement is first")
            asked = asyncio.create_task(get(process, "/fapi/v1/depth?symbol=SUSHIUSDT&limit=1000"))
            first = json.loads(await hear(ws))
            check(first["e"] == "depthUpdate" and first["s"] == "SUSHIUSDT", f"raw: {first}")
            status, headers, body = await asked
            check(status == 200 and headers.get("X-MBX-USED-WEIGHT-1M") == "20", f"{status} {headers}")
            snapshot = json.loads(body)
            while first["u"] < snapshot["lastUpdateId"]:
                first = json.loads(await hear(ws))
            check(first["U"] <= snapshot["lastUpdateId"] <= first["u"], "the recorded snapshot joins a change")
            async with connect(process, "/stream") as late:
                await late.send('{"method":"SUBSCRIBE","params":["sushiusdt@depth@100ms"],"id":"a"}')
                check(json.loads(await hear(late)) == {"result": None, "id": "a"}, "an id may be a text")
                asked = asyncio.create_task(get(process, "/fapi/v1/depth?symbol=SUSHIUSDT&limit=5"))
                change = json.loads(await hear(late))
                check(change["stream"] == "sushiusdt@depth@100ms", f"combined: {str(change)[:80]}")
                made = json.loads((await asked)[2])
                change = change["data"]
                while change["u"] < made["lastUpdateId"]:
                    change = json.loads(await hear(late))["data"]
                check(change["U"] <= made["lastUpdateId"] <= change["u"], "a made snapshot joins a change, too")
                check(len(made["bids"]) == 5 and len(made["asks"]) == 5, "levels are as many as asked for")
    check([s["made"] for s in events(process, "snapshot")] == [False, True], "which snapshot was made is told")


def frames_that_come_in_one_packet_are_all_heard():
    def masked(text):
        key, body = os.urandom(4), text.encode()
        return bytes([0x81, 0x80 | len(body)]) + key + bytes(c ^ key[i % 4] for i, c in enumerate(body))

    with emulator(recording("binance_spot_multi_20210417")) as process:
        port = int(process.listening["ws"].rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), 5) as raw:
            raw.sendall(b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
            said = raw.recv(4096)
            check(b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in said, f"the upgrade is accepted: {said!r}")
            raw.sendall(b"".join(masked('{"method":"LIST_SUBSCRIPTIONS","id":%d}' % i) for i in (1, 2, 3)))
            said = b""
            with contextlib.suppress(TimeoutError):
                while said.count(b'"result":[]') < 3 and (more := raw.recv(4096)):
                    said += more
        check(said.count(b'"result":[]') == 3, f"three answers, got {said!r}")


async def faults_come_when_they_are_asked_for():
    with emulator(recording("binance_spot_multi_20210417"), "--speed", "4", "--fault", "drop@40") as process:
        async with connect(process, "/ws/veteth@depth") as ws:
            last, gaps = None, 0
            for _ in range(25):
                change = json.loads(await hear(ws))
                gaps += last is not None and change["U"] != last + 1
                last = change["u"]
            check(gaps == 1, f"{gaps} gaps, expected one")
            process.stdin.write(b"disconnect\n")
            process.stdin.flush()
            try:
                while True:
                    await hear(ws)
            except websockets.ConnectionClosed as closed:
                check(closed.rcvd is None, "no goodbye is said")
        process.stdin.write(b"429=7\n")
        process.stdin.flush()
        await asyncio.sleep(0.3)
        status, headers, _ = await get(process, "/api/v3/ping")
        check(status == 429 and headers.get("Retry-After") == "7", f"{status} {headers}")
        try:
            async with connect(process, "/ws"):
                check(False, "an upgrade is refused, too")
        except websockets.InvalidStatusCode as refused:
            check(refused.status_code == 429 and refused.headers.get("Retry-After"), str(refused))
    faults = events(process, "fault")
    check([f["kind"] for f in faults] == ["drop", "disconnect", "429"], f"faults are told: {faults}")
    check(faults[0]["symbol"] == "VETETH" and faults[0]["line"] >= 40 and faults[0]["mono_ns"] > 0, str(faults[0]))


async def a_silent_connection_stays_open():
    with emulator(recording("binance_spot_multi_20210417"), "--speed", "4", "--fault", "silence@100") as process:
        async with connect(process, "/ws/veteth@depth", ping_interval=None, close_timeout=1) as ws:
            try:
                while True:
                    await hear(ws, 2)
            except asyncio.TimeoutError:
                pass
            check(ws.open, "it is open")
            pong = await ws.ping()
            try:
                await asyncio.wait_for(pong, 1)
                check(False, "a ping is not answered")
            except asyncio.TimeoutError:
                pass


# ---- Upbit -----------------------------------------------------------------------------------------------------


async def upbit_sends_binary_frames_and_a_snapshot_first():
    with emulator(recording("upbit_multi_20210417"), "--speed", "4") as process:
        async with connect(process, "/websocket/v1") as ws:
            await ws.send('[{"ticket":"t"},{"type":"orderbook","codes":["KRW-LAMB","KRW-NONE"]},{"format":"SIMPLE"}]')
            frames = [await hear(ws) for _ in range(5)]
            check(all(isinstance(frame, bytes) for frame in frames), "frames are binary")
            check([json.loads(f)["st"] for f in frames] == ["SNAPSHOT"] + ["REALTIME"] * 4, "the first is a snapshot")
            await ws.send("PING")
            while b"UP" not in (frame := await hear(ws)):
                pass
            check(json.loads(frame) == {"status": "UP"}, "a ping is answered")


# ---- venues with checksums ---------------------------------------------------------------------------------------


def apply(side, levels):
    for price, qty in levels:
        side.pop(price, None)
        if float(qty):
            side[price] = qty


def best(side, n, highest):
    return sorted(side.items(), key=lambda level: float(level[0]), reverse=highest)[:n]


def okx_sum(bids, asks):
    words = []
    bids, asks = best(bids, 25, True), best(asks, 25, False)
    for i in range(25):
        words += [":".join(side[i]) for side in (bids, asks) if i < len(side)]
    total = zlib.crc32(":".join(words).encode())
    return total - (1 << 32) if total >= 1 << 31 else total


def kraken_sum(bids, asks):
    levels = best(asks, 10, False) + best(bids, 10, True)
    return zlib.crc32("".join(word.replace(".", "").lstrip("0") for level in levels for word in level).encode())


async def late_books_hold_their_checksums(name, path, subscribe, is_book, read, checksum, depth):
    """A client that comes late gets a snapshot, and all checksums from then on are those that were recorded."""
    with emulator(recording(name), "--speed", "5") as process:
        async with connect(process, path) as early:
            await early.send(subscribe)
            for _ in range(20):
                await hear(early)
            async with connect(process, path) as ws:
                await ws.send(subscribe)
                bids, asks, n = {}, {}, 0
                while n < 50:
                    message = await hear(ws)
                    if not is_book(message):
                        continue
                    whole, bid_levels, ask_levels, total = read(message)
                    if whole:
                        bids, asks = {}, {}
                    check(n > 0 or whole, f"{name}: a snapshot is first")
                    apply(bids, bid_levels)
                    apply(asks, ask_levels)
                    bids, asks = dict(best(bids, depth, True)), dict(best(asks, depth, False))
                    n += 1
                    if checksum(bids, asks) != total:
                        check(False, f"{name}: message {n} behind a late snapshot: the checksum does not hold")
                        return
    check(any(s["made"] for s in events(process, "snapshot")), f"{name}: the late snapshot was made")


def read_okx(message):
    message = json.loads(message)
    data = message["data"][0]
    sides = [[(level[0], level[1]) for level in data[side]] for side in ("bids", "asks")]
    return message["action"] == "snapshot", *sides, data["checksum"]


def read_kraken(message):
    message = json.loads(message, parse_float=str, parse_int=str)
    data = message["data"][0]
    sides = [[(level["price"], level["qty"]) for level in data[side]] for side in ("bids", "asks")]
    return message["type"] == "snapshot", *sides, int(data["checksum"])


# ---- TLS -------------------------------------------------------------------------------------------------------


async def connections_may_be_encrypted():
    if shutil.which("openssl") is None:
        print("SKIPPED in part: openssl is not installed, no certificate could be made")
        return
    with tempfile.TemporaryDirectory(prefix="sluice-tls-") as folder:
        cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                        "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        with emulator(recording("upbit_multi_20210417"), "--tls", cert, key) as process:
            check(process.listening["ws"].startswith("wss://") and process.listening["rest"].startswith("https://"),
                  f"the urls are {process.listening}")
            trusted = ssl.create_default_context(cafile=cert)
            async with connect(process, "/websocket/v1", ssl=trusted) as ws:
                await ws.send("PING")
                check(json.loads(await hear(ws)) == {"status": "UP"}, "words go through TLS")


async def main():
    wrong_arguments_are_told()
    await a_whole_recording_comes_in_order_at_any_speed()
    await streams_are_raw_or_combined_and_snapshots_join()
    frames_that_come_in_one_packet_are_all_heard()
    await faults_come_when_they_are_asked_for()
    await a_silent_connection_stays_open()
    await upbit_sends_binary_frames_and_a_snapshot_first()
    await late_books_hold_their_checksums(
        "okx_books_20220513", "/ws/v5/public",
        '{"op":"subscribe","args":[{"channel":"books","instId":"BTC-USDT"}]}',
        lambda m: '"action"' in m, read_okx, okx_sum, 400)
    await late_books_hold_their_checksums(
        "kraken_v2_ethusd_d25_20260802", "/v2",
        '{"method":"subscribe","params":{"channel":"book","symbol":["ETH/USD"],"depth":25}}',
        lambda m: m.startswith('{"channel":"book"'), read_kraken, kraken_sum, 25)
    await connections_may_be_encrypted()


asyncio.run(main())
sys.exit(1 if failures else 0)
