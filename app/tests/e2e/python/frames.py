"""What stomp.py does to the Reporting Server: one line `PASS name` or `FAIL name: why` a check.

What has to be in the database once is told by `SENT id`, what must not be there by `NEVER id`.
Usage: frames.py PORT [AUTHORITIES|logins|restarts]; with authorities everything goes by TLS, `logins`
is about users and their passwords, `restarts` about a server that is killed and comes back: `ASK what`
waits for a line on standard input.
"""

import datetime
import json
import sys
import threading
import time
import uuid

import stomp

CDR = "/queue/ringmaster.cdr"
OFFER = "ringmaster takes records on ringmaster.cdr, .event, .or, .sq; consuming is not offered"
PATIENCE = 120
VERSIONS = {
    "1.0": stomp.Connection10,
    "1.1": stomp.Connection11,
    "1.2": stomp.Connection12,
}


class Heard(stomp.ConnectionListener):
    """Keeps what the server says."""

    def __init__(self):
        self.changed = threading.Condition()
        self.receipts, self.errors, self.beats, self.lost = [], [], 0, False

    def add(self, name, value):
        with self.changed:
            setattr(self, name, getattr(self, name) + value)
            self.changed.notify_all()

    def on_receipt(self, frame):
        self.add("receipts", [frame.headers["receipt-id"]])

    def on_error(self, frame):
        self.add("errors", [(frame.headers.get("message"), frame.body)])

    def on_heartbeat(self):
        self.add("beats", 1)

    def on_disconnected(self):
        with self.changed:
            self.lost = True
            self.changed.notify_all()

    def until(self, what, condition):
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE), f"{what}: {vars(self)}"


class Client:
    """A connection, logged in."""

    def __init__(self, version, user="mcp-1", password="secret", **options):
        at = ("127.0.0.1", PORT)
        self.connection = VERSIONS[version]([at], reconnect_attempts_max=1, **options)
        if AUTHORITIES:
            self.connection.set_ssl(for_hosts=[at], ca_certs=AUTHORITIES)
        self.heard = Heard()
        self.connection.set_listener("heard", self.heard)
        self.connection.connect(user, password, wait=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.disconnect(receipt="bye")
        self.heard.until("the goodbye", lambda: "bye" in self.heard.receipts)

    def received(self, receipt):
        self.heard.until(f"receipt {receipt}", lambda: receipt in self.heard.receipts)

    def send(self, name, body=None, **headers):
        """Sends a record and waits until it is on disk."""
        self.connection.send(CDR, body or record(name), receipt=name, **headers)
        self.received(name)
        print("SENT", name)


def record(name, **more):
    """A call that has ended, as one record."""
    now = datetime.datetime.now(datetime.timezone.utc)
    text = lambda time: time.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    made = {
        "schema": 1, "kind": "cdr", "id": f"python-1:{name}/cdr.end/0", "time": text(now),
        "producer": {"name": "python-1"}, "component": {"name": "python-1", "type": "MCP"},
        "phase": "end", "guid": str(uuid.uuid5(uuid.NAMESPACE_URL, name)), "session_id": name,
        "started_at": text(now - datetime.timedelta(seconds=60)), "ended_at": text(now),
        "call_type": "INBOUND", "local_uri": "sip:18005550100@python.example",
        "remote_uri": "sip:+4930123@python.example", "end_state": "APP_END",
    }
    made.update(more)
    return json.dumps({key: value for key, value in made.items() if value is not None},
                      ensure_ascii=False)


def bodies(version):
    with Client(version) as client:
        client.send(f"sized-{version}")
        client.send(f"large-{version}", record(f"large-{version}", pad="x" * 200_000))
        client.send(f"noted-{version}", record(f"noted-{version}", note="\U0001F600 € \0"))
        client.send(f"named-{version}", record(f"named-{version}", id=None),
                    recordId=f"python:{version}")
    with Client(version, auto_content_length=False) as client:
        client.send(f"unsized-{version}")


def transactions(version):
    with Client(version) as client:
        kept, dropped = client.connection.begin(), client.connection.begin()
        for number in range(20):
            for name, transaction in (("kept", kept), ("dropped", dropped)):
                name = f"{name}-{number}-{version}"
                client.connection.send(CDR, record(name), transaction=transaction)
        client.connection.abort(dropped)
        client.connection.commit(kept, receipt="commit")
        client.received("commit")
        for number in range(20):
            print("SENT", f"kept-{number}-{version}")
            print("NEVER", f"dropped-{number}-{version}")
        left = client.connection.begin()
        client.connection.send(CDR, record(f"left-{version}"), transaction=left)
        print("NEVER", f"left-{version}")


def without_receipts(version):
    """The receipt of DISCONNECT stands for all that came before it."""
    with Client(version) as client:
        for number in range(50):
            client.connection.send(CDR, record(f"bare-{number}-{version}"))
            print("SENT", f"bare-{number}-{version}")


def heartbeats(version):
    with Client(version, heartbeats=(4000, 2000)) as client:
        client.heard.until("heart-beats", lambda: client.heard.beats >= 3)
        assert not client.heard.lost
        client.send(f"alive-{version}")


def refused(version):
    with Client(version) as client:
        heard = client.heard
        acknowledged = {"1.0": "x", "1.1": ("x", "1"), "1.2": "x"}[version]
        arguments = acknowledged if isinstance(acknowledged, tuple) else (acknowledged,)
        asked = [
            ("consumer on queue ringmaster.cdr", lambda own: own.subscribe(CDR, id="1")),
            ("consumer on topic calls", lambda own: own.subscribe("/topic/calls", id="2")),
            ("ACK", lambda own: own.ack(*arguments)),
            ("queue orders", lambda own: own.send("/queue/orders", "{}")),
            ("topic ringmaster.cdr", lambda own: own.send("/topic/ringmaster.cdr", "{}")),
        ]
        if version != "1.0":
            asked.append(("NACK", lambda own: own.nack(*arguments)))
        for number, (what, ask) in enumerate(asked, 1):
            ask(client.connection)
            heard.until(what, lambda: len(heard.errors) == number)
            message, body = heard.errors[-1]
            assert message == f"{what}: {OFFER}", message
            assert body == message, body
        assert not heard.lost
        client.send(f"after-refusals-{version}")


def right_password(version):
    with Client(version) as client:
        client.send(f"right-password-{version}")


def wrong_password(version):
    """The ERROR says why, and the connection is over."""
    heard = Heard()
    connection = VERSIONS[version]([("127.0.0.1", PORT)], reconnect_attempts_max=1)
    connection.set_listener("heard", heard)
    connection.connect("mcp-1", "Secret", wait=False)
    heard.until("the error", lambda: heard.errors)
    assert heard.errors[0][0] == "the user name or the password is wrong", heard.errors
    heard.until("the end", lambda: heard.lost)


class Steady:
    """A producer that connects again and sends again what has no receipt, until it has one."""

    def __init__(self, version, several):
        self.version, self.several, self.lost = version, several, 0
        self.client = Client(version)

    def deliver(self, names):
        bodies = [record(name) for name in names]
        while True:
            try:
                self.attempt(names[0], bodies)
                break
            except (AssertionError, OSError, stomp.exception.StompException):
                self.lost += 1
                self.again()
        for name in names:
            print("SENT", name)

    def attempt(self, name, bodies):
        """One message, or one transaction."""
        heard, connection = self.client.heard, self.client.connection
        receipt, more = f"{name}-{self.lost}", {}
        if self.several:
            more["transaction"] = connection.begin()
        else:
            more["receipt"] = receipt
        for body in bodies:
            connection.send(CDR, body, **more)
        if self.several:
            connection.commit(more["transaction"], receipt=receipt)
        heard.until(receipt, lambda: receipt in heard.receipts or heard.lost)
        assert receipt in heard.receipts

    def again(self):
        for _ in range(PATIENCE * 20):
            try:
                self.client = Client(self.version)
                return
            except (stomp.exception.StompException, OSError):  # it may go while we greet it
                time.sleep(0.05)
        raise TimeoutError("no server comes")


def restarted(version, several):
    """Sends on through a kill of the server and its start, and for a while behind it."""
    steady = Steady(version, several)
    some, back = threading.Event(), threading.Event()
    broken = []

    def send():
        try:
            number = rest = 0
            while rest < 20:
                name = f"restarted-{version}-{several}-{number}"
                steady.deliver([f"{name}-{part}" for part in range(several or 1)])
                number += 1
                rest += back.is_set()
                if number == 20:
                    some.set()
        except Exception as why:
            broken.append(why)
            some.set()

    thread = threading.Thread(target=send)
    thread.start()
    some.wait()
    print("ASK restart", flush=True)
    assert sys.stdin.readline() == "done\n"
    back.set()
    thread.join()
    if broken:
        raise broken[0]
    assert steady.lost, "the connection broke"
    steady.client.__exit__()


def restarted_plain(version):
    restarted(version, 0)


def restarted_transactions(version):
    restarted(version, 5)


def main():
    checks = (bodies, transactions, without_receipts, heartbeats, refused)
    if GROUP == "logins":
        checks = (right_password, wrong_password)
    if GROUP == "restarts":
        checks = (restarted_plain, restarted_transactions)
    for check in checks:
        for version in VERSIONS:
            if check is heartbeats and version == "1.0":
                continue
            if check is restarted_transactions and version != "1.2":
                continue
            name = f"{check.__name__}-{version}"
            try:
                check(version)
                print("PASS", name)
            except Exception as why:  # the line is the outcome
                print("FAIL", f"{name}: {why!r}")
    print("END", flush=True)


PORT = int(sys.argv[1])
GROUP = sys.argv[2] if sys.argv[2:] in (["logins"], ["restarts"]) else None
AUTHORITIES = sys.argv[2] if len(sys.argv) > 2 and not GROUP else None
main()
