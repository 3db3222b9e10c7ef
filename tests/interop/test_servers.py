"""The gateway bound to other people's SMSCs, and to the simulator: a code goes out, is delivered, and approves."""

import re
import unittest

from house import PASSWORD, SYSTEM_ID, Gateway, Peer, Simulator

CODE = re.compile(r"#(\d{6})$")
ALPHANUMERIC, INTERNATIONAL = 5, 1
# The time to live of a code, less what the way to the SMSC may take.
VALID_SECONDS = (120, 181)


class Conversation:
    """What the gateway is put through with every server."""

    script = None

    def test_a_code_is_sent_delivered_and_approved(self):
        server = Peer(self.script, SYSTEM_ID, PASSWORD)
        self.addCleanup(server.end)
        gateway = Gateway(f"127.0.0.1:{server.event('listening')['port']}")
        self.addCleanup(gateway.end)
        self.assertEqual(server.event("bound"), {
            "event": "bound", "mode": "bind_transceiver", "status": 0, "version": 0x34})
        self.assertEqual(server.event("enquired")["status"], 0)

        challenge = gateway.generate()["challenge_id"]
        submit = server.event("submit")
        self.assertEqual((submit["from"], submit["to"]), ("BANKCONTOH", Gateway.PHONE.removeprefix("+")))
        self.assertEqual(submit["ton"], [ALPHANUMERIC, INTERNATIONAL])
        self.assertEqual(submit["registered_delivery"], 1)
        self.assertTrue(VALID_SECONDS[0] < submit["valid_seconds"] < VALID_SECONDS[1], submit["valid_seconds"])
        self.assertEqual(server.event("receipt_answered")["status"], 0)
        self.assertEqual(gateway.delivered(challenge)["state"], "open")

        code = CODE.search(submit["text"]).group(1)
        self.assertEqual(gateway.verify(challenge, code)["verdict"], "approved")

        self.assertEqual(gateway.end(), 0)
        server.event("unbind")
        server.event("closed")


class Npm(Conversation, unittest.TestCase):
    script = "server.js"


class Twisted(Conversation, unittest.TestCase):
    script = "twisted_server.py"


class Ours(unittest.TestCase):
    """For the capture of the gateway's side."""

    def test_a_code_is_sent_delivered_and_approved(self):
        simulator = Simulator("gateway")
        self.addCleanup(simulator.end)
        gateway = Gateway(simulator.smpp)
        self.addCleanup(gateway.end)
        challenge = gateway.generate()["challenge_id"]
        message = simulator.message(Gateway.PHONE.removeprefix("+"))
        gateway.delivered(challenge)
        verdict = gateway.verify(challenge, CODE.search(message["text"]).group(1))
        self.assertEqual(verdict["verdict"], "approved")
        self.assertEqual(gateway.end(), 0)
