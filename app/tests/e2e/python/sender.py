"""stomp.py as a producer that is told on standard input what to send, as `Sender.java` is: a line
`NAME COUNT`, then so many records, one a line. One record is a message, several are a transaction.
The receipt gives a line `stored NAME`; any error or end of the connection gives `broken WHY`.
Usage: sender.py PORT QUEUE
"""

import sys
import threading

import stomp

SAYING = threading.Lock()


def say(line):
    with SAYING:
        print(line, flush=True)


class Heard(stomp.ConnectionListener):
    """Says what the server says."""

    def on_receipt(self, frame):
        say(f"stored {frame.headers['receipt-id']}")

    def on_error(self, frame):
        say(f"broken {frame.headers.get('message')}")

    def on_disconnected(self):
        say("broken connection")


def main():
    port, queue = int(sys.argv[1]), f"/queue/{sys.argv[2]}"
    connection = stomp.Connection12([("127.0.0.1", port)], reconnect_attempts_max=1)
    connection.set_listener("heard", Heard())
    connection.connect("mcp-1", "secret", wait=True)
    for head in sys.stdin:
        name, count = head.split()
        records = [sys.stdin.readline().rstrip("\n") for _ in range(int(count))]
        if len(records) == 1:
            connection.send(queue, records[0], receipt=name)
            continue
        transaction = connection.begin()
        for record in records:
            connection.send(queue, record, transaction=transaction)
        connection.commit(transaction, receipt=name)


main()
