"""What the tests are made of: programs that are heard and ended, a simulator, a gateway, HTTP, deadlines."""

import collections
import hashlib
import json
import os
import pathlib
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
# A safety net under every wait for an event: far longer than any of them takes.
PATIENCE_SECONDS = 30
# What a program said last, for whoever has to find out why it failed.
LINES_KEPT = 80
PASSWORD = "k7m2xw9p"
SYSTEM_ID = "gateway"


# A proxy has no business between programs on this machine.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Settings:
    """Where our programs are, where captures go, and certificates; filled in by the runner."""
    binaries = captures = roots = certificate = key = None


class Program:
    """A program that was started here: what it says, line by line, and its end."""

    # Those that have not been ended yet, for the runner: a start that fails leaves nobody else to end it.
    running = set()

    def __init__(self, name, *command, environment=None):
        self.name = name
        self._process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace",
            env={**os.environ, **(environment or {})})
        self._lines = queue.SimpleQueue()
        self._said = collections.deque(maxlen=LINES_KEPT)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        Program.running.add(self)

    def _read(self):
        for line in self._process.stdout:
            self._said.append(line)
            self._lines.put(line)
        self._lines.put(None)

    def hear(self, found, what):
        """Waits for a line of which `found` makes something, and returns that."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                line = self._lines.get(timeout=max(0, deadline - time.monotonic()))
            except queue.Empty:
                raise self.trouble(f"no {what} within {PATIENCE_SECONDS} s") from None
            if line is None:
                raise self.trouble(f"it ended before {what}")
            if (value := found(line)) is not None:
                return value

    def tell(self, line):
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def trouble(self, what):
        return AssertionError(f"{self.name}: {what}; it said:\n{''.join(self._said)}")

    def end(self):
        """Ends it as a service manager does; returns its exit code."""
        Program.running.discard(self)
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise self.trouble(f"it did not end within {PATIENCE_SECONDS} s") from None
        finally:
            self._reader.join(PATIENCE_SECONDS)
            self._process.stdin.close()
            self._process.stdout.close()


def json_line(line):
    """What a line says in JSON, or None."""
    try:
        said = json.loads(line)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


class Peer(Program):
    """One of the programs in `peers/`, which speak JSON with us and SMPP with the other side."""

    def __init__(self, script, *arguments):
        runtime = shutil.which("node") if script.endswith(".js") else HERE / ".venv/bin/python"
        options = [] if script.endswith(".js") else ["-B"]
        self._events = []
        super().__init__(script, runtime, *options, HERE / "peers" / script, *arguments)

    def ask(self, verb, **arguments):
        """Has it do something, and returns its answer."""
        self.tell(json.dumps({"do": verb, **arguments}))
        answer = self.hear(json_line, f"answer to {verb}")
        if "error" in answer:
            raise Refused(f"{self.name}: {verb}: {answer['error']}")
        return answer

    def event(self, kind):
        """Waits for an event, and takes it; others wait for whoever asks for them."""
        for said in self._events:
            if said["event"] == kind:
                self._events.remove(said)
                return said

        def found(line):
            said = json_line(line)
            if said is None or said["event"] == kind:
                return said
            if said["event"] == "error":
                raise self.trouble(said["error"])
            self._events.append(said)
            return None
        return self.hear(found, kind)


class Refused(Exception):
    """The other side, or the library, said no."""


class Simulator(Program):
    """A simulator on free ports that captures what goes over its links, in the file of that name."""

    def __init__(self, name, *options):
        super().__init__(
            "simulator", Settings.binaries / "smsc-simulator", "serve", "--ready-json", "--log", "info",
            "--smpp-listen", "127.0.0.1:0", "--web-listen", "127.0.0.1:0",
            "--system-id", SYSTEM_ID, "--password", PASSWORD,
            "--tls-listen", "127.0.0.1:0", "--tls-cert", Settings.certificate, "--tls-key", Settings.key,
            "--capture", Settings.captures / f"{name}.pcap", *options)
        ready = self.hear(json_line, "line that it is ready")
        self.smpp, self.smpps, self._web = ready["smpp"], ready["tls"], ready["web"]

    def message(self, to):
        """The newest message on this handset, once there is one."""
        query = urllib.parse.urlencode({"to": to, "wait": f"{PATIENCE_SECONDS}s"})
        messages = http("GET", f"{self._web}/messages?{query}")["messages"]
        if not messages:
            raise self.trouble(f"no message to {to}")
        return messages[-1]

    def originate(self, message):
        """Has a handset write to whoever receives."""
        http("POST", f"{self._web}/messages", message)


class Gateway(Program):
    """A gateway on free ports with one subscriber, bound to the SMSC at `smpp` by these settings."""

    PHONE = "+628120001234"
    SUBSCRIBER = {"corporate_id": "ACME01", "user_id": "BUDI"}

    def __init__(self, smpp, *settings):
        self._folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(self._folder.name)
        binary = Settings.binaries / "otp-gateway"
        self._key = "otpgw_" + os.urandom(24).hex()
        self._write(folder / "master.keys", output(binary, "key", "new", "master", "--id", "1"))
        self._write(folder / "smsc.password", PASSWORD + "\n")
        self._write(folder / "subscribers.csv", (
            "company_name,cif,corporate_id,user_id,hard_token_serial,phone,email,authenticator\n"
            f"PT Acme,CIF1,ACME01,BUDI,HT1,{self.PHONE},budi@acme.example,sms_otp\n"))
        self._write(folder / "gateway.toml", f"""
[[clients]]
name = "core-1"
roles = ["core"]
key_sha256 = "{hashlib.sha256(self._key.encode()).hexdigest()}"
[subscribers]
file = "subscribers.csv"
[api]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[log]
json = true
[[smsc]]
name = "theirs"
address = "{smpp}"
system_id = "{SYSTEM_ID}"
password_file = "smsc.password"
""" + "\n".join(settings))
        super().__init__("otp-gateway", binary, "serve", "--config", folder / "gateway.toml")
        self._api = "http://" + self.hear(self._ready, "line that it is ready")["api"]

    @staticmethod
    def _write(path, text):
        path.touch(mode=0o600)
        path.write_text(text)

    @staticmethod
    def _ready(line):
        fields = (json_line(line) or {}).get("fields", {})
        return fields if fields.get("message") == "ready" else None

    def call(self, method, path, body=None):
        return http(method, self._api + path, body, {"Authorization": f"Bearer {self._key}"})

    def generate(self):
        return self.call("POST", "/v1/otp/generate", {"subscriber": self.SUBSCRIBER, "purpose": "login"})

    def verify(self, challenge_id, code):
        return self.call("POST", "/v1/otp/verify", {
            "subscriber": self.SUBSCRIBER, "challenge_id": challenge_id, "code": code, "purpose": "login"})

    def delivered(self, challenge_id):
        """The challenge, once its SMS is known to be delivered."""
        path = "/v1/subscribers/ACME01/BUDI/challenges/" + challenge_id
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (challenge := self.call("GET", path))["delivery"] != "delivered":
            if time.monotonic() > deadline:
                raise self.trouble(f"the challenge is {challenge}")
        return challenge

    def end(self):
        try:
            return super().end()
        finally:
            self._folder.cleanup()


def make_certificates(folder):
    """Fills in the certificate of a root, one for this machine by it, and the key of that."""
    Settings.roots, Settings.certificate, Settings.key = folder / "root.pem", folder / "leaf.pem", folder / "leaf.key"
    root_key = folder / "root.key"
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"]
    output(*new, "-subj", "/CN=Root", "-addext", "keyUsage=critical,keyCertSign",
           "-out", Settings.roots, "-keyout", root_key)
    output(*new, "-subj", "/CN=localhost", "-CA", Settings.roots, "-CAkey", root_key, "-extensions", "v3_req",
           "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", Settings.certificate, "-keyout", Settings.key)


def output(*command):
    """What a program prints that only has to run through."""
    return subprocess.run(
        [str(part) for part in command], check=True, timeout=PATIENCE_SECONDS, capture_output=True, text=True).stdout


def http(method, url, body=None, headers=None):
    """One call with JSON in and out; text, if it is none."""
    request = urllib.request.Request(
        url, method=method, data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **(headers or {})})
    try:
        # Longer than what the other side waits for on our behalf.
        with DIRECT.open(request, timeout=2 * PATIENCE_SECONDS) as reply:
            text = reply.read().decode()
    except urllib.error.HTTPError as refusal:
        raise AssertionError(f"{method} {url}: {refusal.code} {refusal.read().decode(errors='replace')}") from None
    return json_line(text) or text
