"""stomp.py as a producer that is told on standard input what to send, as `Sender.java` is: a line
`NAME COUNT`, then so many lines `QUEUE RECORD`. One record is a message, several are a transaction.
The receipt gives a line `stored NAME`; what the end of its connection or an error left without one,
`failed NAME`. After either it connects again.
Usage: sender.py PORT
"""

import logging
import sys
import threading
import time

import stomp

# that there is no server for a while is what is tested
logging.getLogger("stomp.py").setLevel(logging.CRITICAL)

SAYING = threading.Lock()
BREATH = 0.02


def say(line):
    with SAYING:
        print(line, flush=True)


class Line(stomp.ConnectionListener):
    """A connection, and the sends that wait for a receipt on it."""

    def __init__(self, port):
        self.lock, self.waiting, self.alive = threading.Lock(), set(), True
        at = [("127.0.0.1", port)]
        self.connection = stomp.Connection12(at, reconnect_attempts_max=1)
        self.connection.set_listener("line", self)
        self.connection.connect("mcp-1", "secret", wait=True)

    def on_receipt(self, frame):
        name = frame.headers["receipt-id"]
        with self.lock:
            if name not in self.waiting:
                return
            self.waiting.remove(name)
        say(f"stored {name}")

    def on_error(self, frame):
        print(frame.headers.get("message"), file=sys.stderr)
        self.end()

    def on_disconnected(self):
        self.end()

    def end(self):
        with self.lock:
            self.alive, left = False, self.waiting
            self.waiting = set()
        for name in left:
            say(f"failed {name}")

    def send(self, name, records):
        with self.lock:
            self.waiting.add(name)
        try:
            self.write(name, records)
        except Exception:  # stomp.py and the socket have many names for a connection that is gone
            self.end()
        if not self.alive:
            self.end()

    def write(self, name, records):
        if len(records) == 1:
            self.message(records[0], receipt=name)
            return
        transaction = self.connection.begin()
        for record in records:
            self.message(record, transaction=transaction)
        self.connection.commit(transaction, receipt=name)

    def message(self, line, **headers):
        queue, record = line.split(" ", 1)
        self.connection.send(f"/queue/{queue}", record, **headers)


def connected(port):
    """Tries until there is a server."""
    while True:
        try:
            return Line(port)
        except (stomp.exception.StompException, OSError):  # it may go while we greet it
            time.sleep(BREATH)


def main():
    port = int(sys.argv[1])
    line = connected(port)
    for head in sys.stdin:
        name, count = head.split()
        records = [sys.stdin.readline().rstrip("\n") for _ in range(int(count))]
        if not line.alive:
            line = connected(port)
        line.send(name, records)


main()
