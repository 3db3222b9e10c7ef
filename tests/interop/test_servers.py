"""The gateway bound to other people's SMSCs, and to the simulator: a code goes out, is delivered, and approves."""

import re
import unittest

from house import PASSWORD, SYSTEM_ID, Gateway, Peer, Settings, Simulator

CODE = re.compile(r"#(\d{6})$")
ALPHANUMERIC, INTERNATIONAL = 5, 1
# The time to live of a code, less what the way to the SMSC may take.
VALID_SECONDS = (120, 181)
# The ordinal of a challenge's first send, in its mark.
FIRST_SEND = "00"


class Conversation:
    """What the gateway is put through with every server."""

    script = None

    def talk(self, *settings, binds=("bind_transceiver",), certificate=()):
        """From the bind to the unbind; returns the submit, and the challenge that it was sent for."""
        server = Peer(self.script, SYSTEM_ID, PASSWORD, *certificate)
        self.addCleanup(server.end)
        gateway = Gateway(f"localhost:{server.event('listening')['port']}", *settings)
        self.addCleanup(gateway.end)
        bound = [server.event("bound") for _ in binds]
        self.assertCountEqual([one["mode"] for one in bound], binds)
        self.assertEqual({(one["status"], one["version"]) for one in bound}, {(0, 0x34)})
        for _ in binds:
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
        for _ in binds:
            server.event("unbind")
            server.event("closed")
        return submit, challenge

    def test_a_code_is_sent_delivered_and_approved(self):
        self.talk()

    def test_a_transmitter_and_a_receiver_do_it_together(self):
        self.talk('mode = "transmitter_receiver"', binds=("bind_transmitter", "bind_receiver"))

    def test_an_absolute_validity_is_understood(self):
        self.talk('validity = "absolute"')

    def test_a_reference_and_a_mark_do_no_harm(self):
        submit, challenge = self.talk("user_message_reference = true", "mark_tlv = 0x1400")
        self.assertIsInstance(submit["reference"], int)
        if self.shows_marks:
            self.assertEqual(submit["mark"], challenge + FIRST_SEND)


class Npm(Conversation, unittest.TestCase):
    script = "server.js"
    shows_marks = True

    def test_a_code_is_sent_under_tls(self):
        self.talk("[smsc.tls]", f'ca_file = "{Settings.roots}"',
                  certificate=(Settings.certificate, Settings.key))


class Twisted(Conversation, unittest.TestCase):
    script = "twisted_server.py"
    shows_marks = False


class Ours(unittest.TestCase):
    """For the captures of the gateway's side."""

    def talk(self, capture, *settings):
        simulator = Simulator(capture)
        self.addCleanup(simulator.end)
        gateway = Gateway(simulator.smpp, *settings)
        self.addCleanup(gateway.end)
        challenge = gateway.generate()["challenge_id"]
        message = simulator.message(Gateway.PHONE.removeprefix("+"))
        gateway.delivered(challenge)
        verdict = gateway.verify(challenge, CODE.search(message["text"]).group(1))
        self.assertEqual(verdict["verdict"], "approved")
        self.assertEqual(gateway.end(), 0)

    def test_a_code_is_sent_delivered_and_approved(self):
        self.talk("gateway")

    def test_a_pair_sends_with_all_that_can_be_added(self):
        self.talk("gateway-pair", 'mode = "transmitter_receiver"', 'validity = "absolute"',
                  "user_message_reference = true", "mark_tlv = 0x1400")
