#!/usr/bin/python3
"""Stands in for `sluice run` where the harness itself is tested: keeps a feed alive that says one message and answers
requests, writes pids.json, stops at SIGINT. With --stubborn, its feed has left the session and ignores SIGTERM."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

MARKET = [1, 6, "test", 7, 1, 0, 5, None, []]  # a beat whose fields are all left out


def feed(run, stubborn):
    import msgpack
    import zmq

    if stubborn:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    context = zmq.Context()
    market, control = context.socket(zmq.PUB), context.socket(zmq.ROUTER)
    market.bind(f"ipc://{run}/sock/feed.market")
    control.bind(f"ipc://{run}/sock/feed.control")
    while True:
        market.send_multipart([b"beat.sim.", msgpack.packb(MARKET)])
        if control.poll(20):
            identity, bytes_ = control.recv_multipart()
            asked = msgpack.unpackb(bytes_)
            body = [asked[8][0], "feed", 0, f"{asked[8][1]} {asked[8][2]}", [["pid", os.getpid()]]]
            control.send_multipart([identity, msgpack.packb([1, 84, "test", 7, 0, 0, 5, None, body])])


def supervise(run, options):
    stopped = []
    signal.signal(signal.SIGINT, lambda *_: stopped.append(True))
    (run / "sock").mkdir(parents=True)
    (run / "log").mkdir()
    (run / "log/feed.log").write_text("started\n")
    child = None
    while not stopped:
        if child is None or child.poll() is not None:
            child = subprocess.Popen([sys.executable, __file__, "feed", str(run), *options])
            (run / "pids.new").write_text(json.dumps({"supervisor": os.getpid(), "feed": child.pid}))
            (run / "pids.new").rename(run / "pids.json")
        time.sleep(0.01)
    child.kill()
    child.wait()
    print("stopped")


if sys.argv[1] == "feed":
    feed(sys.argv[2], "--stubborn" in sys.argv)
elif sys.argv[1] == "run":
    supervise(pathlib.Path(sys.argv[3]), sys.argv[4:])
else:
    sys.exit(f"unknown verb {sys.argv[1]}")
