#!/usr/bin/python3
"""The market's bus when subscribers come late, lose messages, stand still, or the feed dies: each soon holds the newest
state again, and nobody else is disturbed. The feed is the real one, alone, over real sockets; its market is simulated.

Holding the newest state means: of every topic what a subscriber that was never disturbed had LAG_S ago, or newer."""
import gc
import os
import pickle
import random
import signal
import sys
import threading
import time

import msgpack
import zmq

from harness import PATIENCE, Run, check, check_equal, main, program, wait_until

LAG_S = 0.25
STEP_S = 0.05


# ---- a subscriber, in a process of its own -------------------------------------------------------------------------


def open_subscriber(context, endpoint):
    socket = context.socket(zmq.SUB)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.RCVHWM, 16384)
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    socket.connect(endpoint)
    return socket


def read_envelope(when, topic, frame):
    """(local time, topic, (epoch, seq), seconds since its receipt at the feed, or None)."""
    unpacker = msgpack.Unpacker()
    unpacker.feed(frame)
    unpacker.read_array_header()
    _version, _kind, _stream, epoch, seq, _pos, _time_out, trace = (unpacker.unpack() for _ in range(8))
    return (when, topic, (epoch, seq), when - trace[2] / 1e9 if trace and trace[2] else None)


def listen(endpoint, path):
    """Notes what comes until SIGTERM, then writes it down. It does little else, so as to be as fast as a service is."""
    heard, going = [], [True]
    gc.disable()
    signal.signal(signal.SIGTERM, lambda *_: going.clear())
    with zmq.Context() as context, open_subscriber(context, endpoint) as socket:
        while going:
            if socket.poll(50):
                topic, frame = socket.recv_multipart()
                heard.append((time.monotonic(), topic, frame[:256]))
    with open(path + ".part", "wb") as out:
        pickle.dump(heard, out)
    os.rename(path + ".part", path)


class Listener:
    def __init__(self, feed, name, endpoint=None):
        self.path = feed.scratch / f"{name}.heard"
        self.began = time.monotonic()
        self.process = feed.start(["/usr/bin/python3", __file__, "--listen", endpoint or feed.endpoint("feed.market"), self.path],
                                  f"{name}.out")

    def finish(self):
        """Everything it has heard."""
        self.process.send_signal(signal.SIGTERM)
        wait_until(self.path.exists, 20, f"{self.path.name}")
        with open(self.path, "rb") as heard:
            return [read_envelope(*one) for one in pickle.load(heard)]


# ---- the feed, alone -----------------------------------------------------------------------------------------------


class Feed(Run):
    """sluice-feed in a run directory, with consumers that only say that they are there."""

    def __init__(self, symbols, updates_per_s):
        super().__init__()
        self.market = f"sim:\n  symbols: {symbols}\n  updates_per_s: {updates_per_s}\n"

    def begin(self, *_):
        for folder in ("sock", "log"):
            (self.dir / folder).mkdir(parents=True, exist_ok=True)
        (self.dir / "config.yaml").write_text(self.market)
        (self.dir / "run_id").write_text("market-bus\n")
        self.supervisor = self.start([program("sluice-feed"), "--dir", self.dir, "--name", "feed"], "feed.out")
        wait_until(lambda: (self.dir / "sock/feed.market").exists(), 10, "the feed's socket")
        for name in ("exec", "risk", "recorder", "strategy-1"):
            self.ask("feed", "paced", name)

    def wait_for_books(self, count):
        wait_until(lambda: self.ask("feed", "status")["metrics"].get("books_live", 0) >= count, 20, f"{count} books LIVE")


# ---- what was heard ------------------------------------------------------------------------------------------------


def held_over_time(heard):
    """Topic -> [(time, (epoch, seq))], each newer than the one before; of topics that hold a state."""
    held = {}
    for when, topic, count, _age in heard:
        if topic.split(b".")[0] in (b"inst", b"book", b"bbo"):
            states = held.setdefault(topic, [])
            if not states or count > states[-1][1]:
                states.append((when, count))
    return held


def state_at(states, when):
    """The newest of [(time, state)] at a time, or None; binary search."""
    low, high = 0, len(states)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if states[middle][0] <= when else (low, middle)
    return states[low - 1][1] if low else None


def behind(subscriber, reference, when):
    """How many topics' newest state of LAG_S ago a subscriber does not hold at a time."""
    count = 0
    for topic, states in reference.items():
        newest = state_at(states, when - LAG_S * PATIENCE)
        held = state_at(subscriber.get(topic, []), when)
        count += newest is not None and (held is None or held < newest)
    return count


def newest_again_after(heard, reference, since, share=1.0):
    """Seconds from `since` until the subscriber holds the newest state of that share of the topics, and goes on to for a
    second."""
    subscriber, reference = held_over_time(heard), held_over_time(reference)
    end = min(max(states[-1][0] for states in held.values()) for held in (subscriber, reference))
    when, good_since = since, None
    while when < end:
        missing = behind(subscriber, reference, when)
        good_since = (good_since or when) if missing <= (1 - share) * len(reference) else None
        if good_since and when - good_since >= 1:
            return good_since - since
        when += STEP_S * 4 if good_since else STEP_S
    raise AssertionError(f"{missing} of {len(reference)} topics are still behind {end - since:.1f} s later")


def held_after(heard, reference, since):
    """Of each state that the reference came to hold from `since` on, and that was the newest for long enough to be
    repeated: seconds until the subscriber held it."""
    subscriber, reference = held_over_time(heard), held_over_time(reference)
    end = max(states[-1][0] for states in subscriber.values()) - 1
    for topic, states in reference.items():
        for (when, count), (replaced, _) in zip(states, states[1:]):
            if since <= when < end and replaced - when > 0.6 * PATIENCE:
                yield next(at for at, held in subscriber[topic] if held >= count) - when


def lost(heard, kind=b"book"):
    """Topic -> messages of the kind that never came, by gaps in their count."""
    gaps = {}
    for topic, states in held_over_time(heard).items():
        if topic.startswith(kind + b"."):
            gaps[topic] = sum(b[1] - a[1] - 1 for (_, a), (_, b) in zip(states, states[1:]) if a[0] == b[0])
    return gaps


def ages(heard, begin, end):
    """Sorted: seconds from the feed's receipt to the subscriber, of new books that came between two times."""
    seen, found = {}, []
    for when, topic, count, age in heard:
        if topic.startswith(b"book.") and count > seen.get(topic, (0, 0)):
            seen[topic] = count
            if begin <= when < end:
                found.append(age)
    return sorted(found)


# ---- tests ---------------------------------------------------------------------------------------------------------


def a_late_subscriber_holds_the_newest_state_of_every_topic_within_a_second():
    with Feed(symbols=500, updates_per_s=2) as feed:
        reference = Listener(feed, "reference")
        feed.wait_for_books(1000)
        time.sleep(1)
        late = Listener(feed, "late")
        time.sleep(4)
        heard, of_reference = late.finish(), reference.finish()
        # From its first message on: the start of a Python process is not the bus's time.
        took = newest_again_after(heard, of_reference, heard[0][0])
        print(f"        all of {len(held_over_time(of_reference))} topics {took:.2f} s after its first message")
        check(took <= 1 * PATIENCE, f"the newest state of every topic within a second, not {took:.2f} s")


def what_is_lost_and_not_followed_by_another_comes_again_within_half_a_second():
    """A proxy loses every second message at its first sight, and so often the last one of a topic."""
    with Feed(symbols=10, updates_per_s=1) as feed, zmq.Context() as context:
        dropped, going = [0], [True]
        back = f"ipc://{feed.scratch}/lossy"

        def lossy():
            chance, seen = random.Random(1), set()
            with context.socket(zmq.XPUB) as out, open_subscriber(context, feed.endpoint("feed.market")) as source:
                out.setsockopt(zmq.LINGER, 0)
                out.bind(back)
                while going:
                    if not source.poll(20):
                        continue
                    topic, frame = source.recv_multipart()
                    count = read_envelope(0, topic, frame)[1:3]
                    if topic.startswith(b"book.") and count not in seen and chance.random() < 0.5:
                        dropped[0] += 1
                    else:
                        out.send_multipart([topic, frame])
                    seen.add(count)

        proxy = threading.Thread(target=lossy)
        proxy.start()
        try:
            feed.wait_for_books(20)
            reference, loser = Listener(feed, "reference"), Listener(feed, "loser", back)
            time.sleep(12)
            of_loser, of_reference = loser.finish(), reference.finish()
        finally:
            going.clear()
            proxy.join()
        check(dropped[0] > 50, f"messages lost on the way: {dropped[0]}")
        took = max(held_after(of_loser, of_reference, of_loser[0][0] + 6))
        print(f"        {dropped[0]} lost; a state that is not replaced is held after {took:.2f} s at the latest")
        check(took <= 0.6 * PATIENCE, f"{took:.2f} s until a state is held")


def after_a_restart_of_the_feed_all_books_are_newer_than_before():
    with Feed(symbols=100, updates_per_s=5) as feed:
        feed.wait_for_books(200)
        listener = Listener(feed, "listener")
        time.sleep(2)
        feed.supervisor.kill()
        feed.supervisor.wait()
        time.sleep(0.5)
        again = time.monotonic()
        feed.begin()
        time.sleep(5)
        heard = listener.finish()
        held = held_over_time(heard)
        old = min(states[0][1][0] for states in held.values())
        firsts = [next((when for when, count in states if count[0] > old), None) for states in held.values()]
        check_equal(firsts.count(None), 0, f"topics of {len(held)} that are missing under the new epoch")
        took = max(firsts) - again
        print(f"        all of {len(held)} topics {took:.2f} s after the start of the new feed")
        check(took <= 3 * PATIENCE, f"the newest state of every topic within 3 s, not {took:.2f} s")
        order = [count[0] for _, topic, count, _ in heard if topic.startswith(b"book.")]
        check_equal(order, sorted(order), "epochs of the books in the order they came")


def a_subscriber_that_stood_still_holds_the_newest_state_soon_and_no_other_is_disturbed():
    with Feed(symbols=500, updates_per_s=5) as feed:
        feed.wait_for_books(1000)
        healthy, stopped = Listener(feed, "healthy"), Listener(feed, "stopped")
        time.sleep(4)
        stopped.process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        time.sleep(10)
        goes_on = time.monotonic()
        stopped.process.send_signal(signal.SIGCONT)
        time.sleep(10)
        of_stopped, of_healthy = stopped.finish(), healthy.finish()
        gaps = lost(of_stopped)
        spared = sum(count == 0 for count in gaps.values())
        check(spared == 0, f"the high-water mark was passed for every book, but for {spared} of {len(gaps)}")
        check_equal(sum(lost(of_healthy).values()), 0, "messages that the other subscriber lost")
        took = newest_again_after(of_stopped, of_healthy, goes_on)
        most = newest_again_after(of_stopped, of_healthy, goes_on, 0.95)
        before, meanwhile = ages(of_healthy, began - 2, began), ages(of_healthy, began + 1, goes_on)
        medians = [1e3 * a[len(a) // 2] for a in (before, meanwhile)]
        tails = [1e3 * a[len(a) * 99 // 100] for a in (before, meanwhile)]
        print(f"        {sum(gaps.values())} messages lost; newest again {took:.2f} s after it went on (95 % of topics: "
              f"{most:.2f} s); the other's median "
              f"(p99) age {medians[0]:.1f} ({tails[0]:.1f}) ms before, {medians[1]:.1f} ({tails[1]:.1f}) ms meanwhile")
        # The last part are topics whose newest message was lost, too, and that nothing follows: repeated every 5 s.
        check(most <= 3 * PATIENCE, f"the newest state of 95 % of the topics within 3 s, not {most:.2f} s")
        check(took <= 6.5 * PATIENCE, f"the newest state of every topic within 6.5 s, not {took:.2f} s")
        check(medians[1] <= 2 * medians[0] + 5 * PATIENCE, f"the other's median age: {medians}")


if sys.argv[1:2] == ["--listen"]:
    listen(*sys.argv[2:])
    sys.exit(0)

main(a_late_subscriber_holds_the_newest_state_of_every_topic_within_a_second,
     what_is_lost_and_not_followed_by_another_comes_again_within_half_a_second,
     after_a_restart_of_the_feed_all_books_are_newer_than_before,
     a_subscriber_that_stood_still_holds_the_newest_state_soon_and_no_other_is_disturbed)
