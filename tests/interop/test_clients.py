"""Other people's ESMEs against the simulator: one conversation, had with each of them."""

import unittest

from house import PASSWORD, SYSTEM_ID, Peer, Refused, Settings, Simulator

SENDER = "BankContoh"
DELIVERED = 2
TEXTS = {
    # Of more than one part in either alphabet, and with what takes two septets in GSM's.
    "gsm": "Transfer [€5,000] ke PT @bc: " + "".join(f"baris {number:03} " for number in range(1, 40)),
    "ucs2": "رمز التحويل " + "".join(f"{number:03} ключ 密碼 " for number in range(1, 20)),
}


class Conversation:
    """What every client is put through."""

    name = script = None
    ways_of_long = ()
    answer_to_unbind = "unbind_resp"

    @classmethod
    def setUpClass(cls):
        cls.simulator = Simulator(cls.name)
        cls.addClassCleanup(cls.simulator.end)
        cls._last_number = 628120000000

    def esme(self, mode, password=PASSWORD, tls=False):
        address = (self.simulator.smpps if tls else self.simulator.smpp).split(":")
        roots = [Settings.roots] if tls else []
        esme = Peer(self.script, *address, SYSTEM_ID, password, *roots)
        self.addCleanup(esme.end)
        bound = esme.ask("bind", mode=mode)
        self.assertIsInstance(bound["system_id"], str)
        return esme

    def number(self):
        type(self)._last_number += 1
        return str(self._last_number)

    def submit(self, esme, **more):
        to = self.number()
        answer = esme.ask("submit", sender=SENDER, to=to, **{"text": "Kode 123456 [€] @bank.example", **more})
        return to, answer["ids"]

    def check_receipt(self, receipt, id, to):
        self.assertEqual(receipt, {"id": id, "stat": "DELIVRD", "from": to, "tlv_id": id, "tlv_state": DELIVERED})

    def check_unbind(self, *esmes):
        for esme in esmes:
            self.assertEqual(esme.ask("unbind"), {"answer": self.answer_to_unbind})

    def test_a_transceiver_sends_and_gets_its_receipts(self):
        esme = self.esme("transceiver")
        for _ in range(3):
            to, [id] = self.submit(esme)
            self.check_receipt(esme.ask("receipt"), id, to)
            # After an enquiry's answer the simulator has read what was sent before it.
            esme.ask("enquire")
            message = self.simulator.message(to)
            self.assertEqual((message["id"], message["from"], message["to"]), (id, SENDER, to))
            self.assertEqual(message["text"], "Kode 123456 [€] @bank.example")
            self.assertEqual((message["segments"], message["state"]), (1, "delivered"))
            self.assertEqual(message["receipt"], "acknowledged")
        self.check_unbind(esme)

    def test_a_transmitter_sends_and_a_receiver_gets_the_receipts(self):
        transmitter, receiver = self.esme("transmitter"), self.esme("receiver")
        to, [id] = self.submit(transmitter)
        self.check_receipt(receiver.ask("receipt"), id, to)
        transmitter.ask("enquire")
        receiver.ask("enquire")
        self.check_unbind(transmitter, receiver)

    def test_long_messages_arrive_whole(self):
        esme = self.esme("transceiver")
        for long in self.ways_of_long:
            for alphabet, text in TEXTS.items():
                with self.subTest(long=long, alphabet=alphabet):
                    to, ids = self.submit(esme, text=text, alphabet=alphabet, long=long)
                    receipts = [esme.ask("receipt") for _ in ids]
                    self.assertCountEqual([receipt["id"] for receipt in receipts], ids)
                    message = self.simulator.message(to)
                    self.assertEqual(message["text"], text)
                    self.assertEqual(message["data_coding"], {"gsm": 0, "ucs2": 8}[alphabet])
        self.check_unbind(esme)

    def test_a_handset_writes_to_an_esme(self):
        esme = self.esme("receiver")
        for text in ("STOP", "Стоп 停止"):
            sent = {"from": self.number(), "to": "1500", "text": text}
            self.simulator.originate(sent)
            self.assertEqual(esme.ask("message"), sent)
        self.check_unbind(esme)

    def test_a_wrong_password_is_refused(self):
        with self.assertRaisesRegex(Refused, self.wrong_password):
            self.esme("transceiver", password="wrong")


class Query:
    """For those that know query_sm."""

    def test_query_sm_tells_the_final_state(self):
        esme = self.esme("transceiver")
        to, [id] = self.submit(esme)
        self.check_receipt(esme.ask("receipt"), id, to)
        answer = esme.ask("query", sender=SENDER, id=id)
        self.assertEqual((answer["id"], answer["state"]), (id, DELIVERED))
        self.assertTrue(answer["final_date"])
        with self.assertRaisesRegex(Refused, self.query_failed):
            esme.ask("query", sender=SENDER, id="0")
        self.check_unbind(esme)


class Tls:
    """For those that speak TLS."""

    def test_a_session_under_tls(self):
        esme = self.esme("transceiver", tls=True)
        to, [id] = self.submit(esme)
        self.check_receipt(esme.ask("receipt"), id, to)
        self.assertEqual(self.simulator.message(to)["id"], id)
        self.check_unbind(esme)


class Smpplib(Conversation, Query, Tls, unittest.TestCase):
    name = "smpplib"
    script = "smpplib_client.py"
    ways_of_long = ("udh", "sar", "payload")
    wrong_password = "Invalid Password"
    query_failed = "query_sm request failed"


class Aiosmpplib(Conversation, unittest.TestCase):
    name = "aiosmpplib"
    script = "aiosmpplib_client.py"
    ways_of_long = ("udh", "payload")
    # It does not wait for it; the capture shows it.
    answer_to_unbind = None
    wrong_password = "ESME_RINVPASWD"


class Npm(Conversation, Query, Tls, unittest.TestCase):
    name = "npm"
    script = "client.js"
    ways_of_long = ("udh", "sar", "payload")
    wrong_password = "ESME_RINVPASWD"
    query_failed = "ESME_RQUERYFAIL"
