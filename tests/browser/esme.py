"""Just enough of an ESME for tests of the simulator's page: SMPP 3.4 with Python's own library."""

import queue
import socket
import struct
import threading

from cdp import WAIT_SECONDS

BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER = 0x01, 0x02, 0x09
SUBMIT_SM, DELIVER_SM, UNBIND, ENQUIRE_LINK = 0x04, 0x05, 0x06, 0x15
RESPONSE = 0x80000000
RECEIPT = 0x04
USER_DATA_HEADER = 0x40


def c_octets(text):
    return text.encode("ascii") + b"\0"


def tlv(tag, value):
    return struct.pack(">HH", tag, len(value)) + value


class Esme:
    """One bound session. Answers what the SMSC asks, and keeps what handsets wrote."""

    def __init__(self, ready, role=BIND_TRANSCEIVER):
        host, port = ready["smpp"].rsplit(":", 1)
        self._socket = socket.create_connection((host, int(port)), WAIT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sequence = 0
        self._lock = threading.Condition()
        self._answers = {}
        self._closed = False
        self.originated = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        credentials = ready["smpp_credentials"]
        bind = c_octets(credentials["system_id"]) + c_octets(credentials["password"])
        status, _ = self._ask(role, bind + b"\0" + b"\x34\0\0\0")
        if status != 0:
            raise RuntimeError(f"bind refused: {status:#x}")

    def submit(self, to, text, **fields):
        """Submits a text and returns the answer's status and message id."""
        return self.answer(self.send(to, text, **fields))

    def send(self, to, text, source="BANK", validity="000000000300000R", coding=0, esm_class=0, tlvs=b""):
        """Submits a text without waiting; returns the sequence number for `answer`."""
        octets = text if isinstance(text, bytes) else text.encode({0: "ascii", 8: "utf-16-be"}[coding])
        body = b"\0" + b"\x05\0" + c_octets(source) + b"\x01\x01" + c_octets(to)
        body += bytes([esm_class, 0, 0]) + b"\0" + c_octets(validity)
        body += bytes([1, 0, coding, 0, len(octets)]) + octets + tlvs
        return self._write(SUBMIT_SM, body)

    def answer(self, sequence):
        with self._lock:
            self._lock.wait_for(lambda: sequence in self._answers or self._closed, WAIT_SECONDS)
            status, body = self._answers.pop(sequence)
        return status, body.rstrip(b"\0").decode("ascii")

    def close(self):
        self._ask(UNBIND, b"")
        self._socket.close()

    def _ask(self, command, body):
        return self.answer(self._write(command, body))

    def _write(self, command, body, sequence=None, status=0):
        if sequence is None:
            with self._lock:
                self._sequence += 1
                sequence = self._sequence
        self._socket.sendall(struct.pack(">IIII", 16 + len(body), command, status, sequence) + body)
        return sequence

    def _read(self):
        stream = self._socket.makefile("rb")
        try:
            while header := stream.read(16):
                length, command, status, sequence = struct.unpack(">IIII", header)
                body = stream.read(length - 16)
                if command == DELIVER_SM:
                    self._write(command | RESPONSE, b"\0", sequence)
                    self._take(body)
                elif command in (ENQUIRE_LINK, UNBIND):
                    self._write(command | RESPONSE, b"", sequence)
                else:
                    with self._lock:
                        self._answers[sequence] = (status, body)
                        self._lock.notify_all()
        except OSError:
            pass  # The other side, or `close`, ended it.
        with self._lock:
            self._closed = True
            self._lock.notify_all()

    def _take(self, body):
        """Keeps a message that a handset wrote, as (from, to, text); receipts are none."""
        _, rest = body.split(b"\0", 1)
        source, rest = rest[2:].split(b"\0", 1)
        destination, rest = rest[2:].split(b"\0", 1)
        esm_class, rest = rest[0], rest[3:]
        _, rest = rest.split(b"\0", 1)
        _, rest = rest.split(b"\0", 1)
        coding, length = rest[2], rest[4]
        if not esm_class & RECEIPT:
            text = rest[5:5 + length].decode("utf-16-be" if coding == 8 else "ascii")
            self.originated.put((source.decode(), destination.decode(), text))
