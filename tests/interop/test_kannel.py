"""Kannel as an ESME of the simulator: what is sent through smsbox arrives, and its receipts come back by HTTP."""

import re
import unittest
from datetime import datetime, timedelta

from house import Simulator
from kannel import ACCEPTED_BY_SMSC, DELIVERED, REFUSED_BY_SMSC, Kannel, text_of

SENDER = "BankContoh"
ACCEPTED = "0: Accepted for delivery"
# The minutes that a message is valid for, and Kannel's absolute form of it, which is in UTC.
VALID_MINUTES = 5
ABSOLUTE = re.compile(r"^\d{12}000\+$")


class Boxes(unittest.TestCase):
    """A conversation with both boxes."""

    @classmethod
    def setUpClass(cls):
        cls.simulator = Simulator("kannel")
        cls.addClassCleanup(cls.simulator.end)
        cls.kannel = Kannel(cls.simulator.smpp)
        cls.addClassCleanup(cls.kannel.end)

    def send(self, to, text, **more):
        parameters = {"from": SENDER, "to": to, "text": text, "charset": "UTF-8", **more}
        self.assertEqual(self.kannel.send(**parameters), ACCEPTED)
        return self.simulator.message(to)

    def check_steps(self, to, *steps):
        """The id of the message of which Kannel tells these steps, in any order: it has a connection for each."""
        told = [self.kannel.listener.next() for _ in steps]
        self.assertCountEqual([(int(one["step"]), one["to"]) for one in told], [(step, to) for step in steps])
        [id] = {one["id"] for one in told}
        return id

    def test_a_message_arrives_and_its_receipt_comes_back(self):
        to = "628130000001"
        message = self.send(to, "Kode 123456 [€] @bank.example")
        self.assertEqual((message["from"], message["text"]), (SENDER, "Kode 123456 [€] @bank.example"))
        self.assertEqual((message["segments"], message["state"]), (1, "delivered"))
        self.assertEqual(self.check_steps(to, ACCEPTED_BY_SMSC, DELIVERED), message["id"])

    def test_an_absolute_validity_is_understood(self):
        to = "628130000002"
        message = self.send(to, "Kode 123456", validity=VALID_MINUTES)
        self.assertRegex(message["validity"], ABSOLUTE)
        arrived, expires = (datetime.fromisoformat(message[name]) for name in ("time", "expires_at"))
        self.assertTrue(timedelta(0) < expires - arrived <= timedelta(minutes=VALID_MINUTES), message)
        self.check_steps(to, ACCEPTED_BY_SMSC, DELIVERED)

    def test_long_messages_arrive_whole(self):
        # coding 0 is the SMSC's alphabet and 2 is UCS-2, as Kannel counts.
        for number, (coding, text) in enumerate([(0, "Transfer [€5,000] ke @bc. " * 12), (2, "رمز ключ 密碼 " * 12)]):
            to = f"62813000010{number}"
            with self.subTest(coding=coding):
                message = self.send(to, text, coding=coding)
                self.assertEqual((message["text"], message["segments"] > 1), (text, True))
                # Kannel tells every step of the last part alone.
                self.check_steps(to, ACCEPTED_BY_SMSC, DELIVERED)

    def test_a_handset_answers(self):
        # Once a message has gone through both boxes, bearerbox knows of smsbox; before, it would sit on the answer.
        handset = "628130000004"
        self.send(handset, "Kode 123456")
        self.check_steps(handset, ACCEPTED_BY_SMSC, DELIVERED)
        for text in ("STOP", "Стоп 停止"):
            self.simulator.originate({"from": handset, "to": "1500", "text": text})
            told = self.kannel.listener.next()
            # Kannel writes a + before an international number.
            self.assertEqual((told["kind"], told["from"], told["to"]), ("message", f"+{handset}", "1500"))
            self.assertEqual(text_of(told), text)

    def test_a_refused_message_is_told_as_refused(self):
        to = "628130000003"
        # Scheduled delivery, in minutes from now, which the simulator does not do.
        self.assertEqual(self.kannel.send(**{"from": SENDER, "to": to, "text": "Kode", "deferred": 5}), ACCEPTED)
        self.check_steps(to, REFUSED_BY_SMSC)
