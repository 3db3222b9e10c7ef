"""What the simulators captured of all that, as tshark reads it. Runs after everything that it reads of."""

import collections
import subprocess
import unittest

import house

# Of expert information: below it are remarks, such as that a connection was opened or closed.
WARNING = 0x600000
RESPONSE = 0x80000000
COMMANDS = {
    0x01: "bind_receiver", 0x02: "bind_transmitter", 0x09: "bind_transceiver", 0x03: "query_sm", 0x04: "submit_sm",
    0x05: "deliver_sm", 0x06: "unbind", 0x15: "enquire_link",
}
CLIENT = {
    "bind_receiver", "bind_transmitter", "bind_transceiver", "submit_sm", "deliver_sm", "enquire_link", "unbind"}
# What each capture must have at least, with an answer to each; the name of the capture says who talks.
EXPECTED = {
    "smpplib": CLIENT | {"query_sm"},
    "aiosmpplib": CLIENT,
    "npm": CLIENT | {"query_sm"},
    "kannel": {"bind_transceiver", "submit_sm", "deliver_sm", "enquire_link", "unbind"},
    "gateway": {"bind_transceiver", "submit_sm", "deliver_sm", "unbind"},
    "gateway-pair": {"bind_transmitter", "bind_receiver", "submit_sm", "deliver_sm", "unbind"},
}


def tshark(name, show, *fields):
    """The packets of a capture that tshark would show, one line of fields each."""
    capture = house.Settings.captures / f"{name}.pcap"
    command = ["tshark", "-n", "-r", capture, "-Y", show, "-T", "fields"]
    for field in fields:
        command += ["-e", field]
    return house.output(*command).splitlines()


class Captures(unittest.TestCase):
    """Each of them."""

    def test_nothing_is_malformed_or_amiss(self):
        bad = f"_ws.malformed || _ws.expert.severity >= {WARNING} || (tcp.len > 0 && !smpp && !tcp.reassembled_in)"
        for name in EXPECTED:
            with self.subTest(capture=name):
                self.assertEqual(tshark(name, bad, "frame.number", "_ws.expert.message", "_ws.malformed"), [])

    def test_every_request_is_there_and_answered(self):
        for name, expected in EXPECTED.items():
            with self.subTest(capture=name):
                packets = tshark(name, "smpp", "smpp.command_id")
                seen = collections.Counter(int(id, 16) for packet in packets for id in packet.split(","))
                requests = {COMMANDS[id]: count for id, count in seen.items() if not id & RESPONSE}
                answers = {COMMANDS[id & ~RESPONSE]: count for id, count in seen.items() if id & RESPONSE}
                self.assertEqual(requests, answers)
                self.assertEqual(expected - requests.keys(), set())
