"""Debian's Kannel, a whole SMS gateway: its bearerbox holds the link, its smsbox takes messages by HTTP."""

import http.server
import pathlib
import queue
import shutil
import socket
import tempfile
import threading
import urllib.parse

import house

# Where the package is unpacked, and its libraries on any architecture.
ROOT = house.HERE / ".kannel"
# Of dlr-mask, and of %d in dlr-url.
DELIVERED, REFUSED_BY_PHONE, QUEUED, ACCEPTED_BY_SMSC, REFUSED_BY_SMSC = 1, 2, 4, 8, 16
EVERY_STEP = DELIVERED | REFUSED_BY_PHONE | QUEUED | ACCEPTED_BY_SMSC | REFUSED_BY_SMSC
# As %c writes it.
UCS2 = "2"
USER = {"username": "tester", "password": "tester"}


class Listener:
    """An HTTP server that puts aside the queries that it is called with."""

    def __init__(self):
        self._queries = queue.SimpleQueue()
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                # A refused message has an empty id; a text has any octets.
                query = urllib.parse.urlsplit(self.path).query
                listener._queries.put(
                    dict(urllib.parse.parse_qsl(query, keep_blank_values=True, encoding="latin-1")))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def next(self):
        """The next one, oldest first."""
        try:
            return self._queries.get(timeout=house.PATIENCE_SECONDS)
        except queue.Empty:
            raise AssertionError(f"Kannel called nobody within {house.PATIENCE_SECONDS} s") from None

    def end(self):
        self._server.shutdown()
        self._server.server_close()


def text_of(query):
    """The text of a message, which Kannel hands on in the alphabet that it came in."""
    return query["text"].encode("latin-1").decode("utf-16-be" if query["coding"] == UCS2 else "utf-8")


class Kannel:
    """Both boxes, bound to the SMSC at `smpp`."""

    def __init__(self, smpp):
        host, port = smpp.split(":")
        self._folder = tempfile.TemporaryDirectory()
        self._boxes = []
        # Called with what comes to Kannel: receipts that were asked for, and messages from handsets.
        self.listener = Listener()
        # Kannel has to be told its ports; these were free a moment ago.
        admin, boxes, sendsms = free_ports(3)
        self._url = f"http://127.0.0.1:{sendsms}/cgi-bin/sendsms"
        # A group ends with an empty line.
        config = pathlib.Path(self._folder.name) / "kannel.conf"
        config.write_text(f"""
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = tester
smsbox-port = {boxes}
smsbox-interface = 127.0.0.1
log-level = 0

group = smsc
smsc = smpp
smsc-id = simulator
host = {host}
port = {port}
transceiver-mode = true
interface-version = 34
smsc-username = {house.SYSTEM_ID}
smsc-password = {house.PASSWORD}
system-type = ""
enquire-link-interval = 1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1
log-level = 0

group = sendsms-user
username = {USER["username"]}
password = {USER["password"]}
concatenation = true
max-messages = 9

group = sms-service
keyword = default
catch-all = true
max-messages = 0
get-url = "{self.listener.url}?kind=message&from=%p&to=%P&coding=%c&text=%b"
""")
        self._start("bearerbox", config, "type_name: enquire_link_resp")
        self._start("smsbox", config, "Connected to bearerbox")

    def _start(self, name, config, ready):
        program = shutil.which(name)
        environment = {}
        if not program:
            program = ROOT / "usr/sbin" / name
            libraries = {str(library.parent) for library in ROOT.glob("**/lib/**/*.so.*")}
            environment["LD_LIBRARY_PATH"] = ":".join(libraries)
        box = house.Program(name, program, "-v", "0", config, environment=environment)
        self._boxes.append(box)
        box.hear(lambda line: True if ready in line else None, f"line with {ready!r}")

    def send(self, **parameters):
        """Sends a message, and has Kannel tell every step of its delivery; returns what smsbox says of it."""
        receipts = {"dlr-mask": EVERY_STEP, "dlr-url": f"{self.listener.url}?kind=receipt&step=%d&id=%F&to=%p"}
        return house.http("GET", f"{self._url}?{urllib.parse.urlencode({**USER, **receipts, **parameters})}")

    def end(self):
        for box in self._boxes:
            box.end()
        self.listener.end()
        self._folder.cleanup()


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
