#!/usr/bin/python3
"""Listens to a running sluice from Python: usage tap.py ENDPOINT [TOPIC-PREFIX]"""
import sys, msgpack, zmq

socket = zmq.Context().socket(zmq.SUB)
socket.connect(sys.argv[1])  # such as ipc:///path/to/RUN/sock/feed.market
socket.subscribe(sys.argv[2] if len(sys.argv) > 2 else "")
while True:
    topic, frame = socket.recv_multipart()
    version, kind, stream, epoch, seq, pos, time_out, trace, body = msgpack.unpackb(frame)
    print(topic.decode(), "epoch", epoch, "seq", seq, "pos", pos, body, flush=True)
