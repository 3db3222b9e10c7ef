"""Pays at a demo with the client that openapi-python-client made: payment.py DEMO_BINARY CONTRACT GENERATED_DIR."""

import json
import pathlib
import subprocess
import sys
import unittest
import uuid

import httpx
from ruamel.yaml import YAML

BINARY, CONTRACT, GENERATED = sys.argv[1:]
sys.path.insert(0, GENERATED)

# The generated package is only now where Python looks.
from otp_gateway import AuthenticatedClient  # noqa: E402
from otp_gateway.api.otp import cancel, generate, get_challenge, resend, verify  # noqa: E402
from otp_gateway.models import (  # noqa: E402
    Approved, Cancelled, Challenge, ChallengeState, Currency, Issued, Locale, MalformedRequest, MalformedRequestField,
    NotApproved, NotApprovedVerdict, NotIssued, NotIssuedReason, PaymentClaim, PaymentGenerate, PaymentVerify,
    Subscriber, TooEarly, Transaction, Unauthorized)
from otp_gateway.types import UNSET  # noqa: E402

# A proxy has no business between programs on this machine.
DIRECT = {"trust_env": False}
# A safety net under every wait for an event: far longer than any of them takes.
PATIENCE_SECONDS = 30
PORTS = ["gateway", "admin", "smpp", "simulator", "bank"]


class Demo:
    """A demo with everything that a payment needs, on free ports."""

    def __enter__(self):
        ports = [argument for name in PORTS for argument in (f"--{name}-port", "0")]
        self._process = subprocess.Popen([BINARY, "--ready-json", *ports], stdout=subprocess.PIPE, text=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{BINARY} did not start")
        self.ready = json.loads(line)
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(PATIENCE_SECONDS)
        self._process.stdout.close()

    def client(self, key=None):
        # Whatever the contract does not tell of is an exception.
        return AuthenticatedClient(
            base_url=self.ready["gateway"], token=key or self.ready["api_key"], raise_on_unexpected_status=True,
            httpx_args=DIRECT)

    def code(self, phone, reference):
        """Reads the code on the handset, of the SMS with this reference."""
        query = {"to": phone.removeprefix("+"), "text": reference, "wait": f"{PATIENCE_SECONDS}s"}
        inbox = f"{self.ready['simulator']}/messages"
        found = httpx.get(inbox, params=query, timeout=2 * PATIENCE_SECONDS, **DIRECT).json()
        return found["messages"][0]["text"].rsplit("#", 1)[1]


def wrong(code):
    return "".join(str((int(digit) + 1) % 10) for digit in code)


class PaymentTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.demo = cls.enterClassContext(Demo())
        cls.client = cls.demo.client()
        # Each test pays for somebody of its own.
        cls.subscribers = iter(cls.demo.ready["subscribers"][1:])

    def setUp(self):
        row = next(self.subscribers)
        self.phone = row["phone"]
        self.subscriber = Subscriber(corporate_id=row["corporate_id"], user_id=row["user_id"])
        self.transaction = Transaction(
            reference="TRX-000123", amount="1250000", currency=Currency.IDR, beneficiary_account="1234567890",
            beneficiary_name="PT ABC")

    def generate(self, **changes):
        fields = {"subscriber": self.subscriber, "transaction": self.transaction, "locale": Locale.ID, **changes}
        return generate.sync(client=self.client, body=PaymentGenerate(purpose="payment", **fields))

    def issue(self):
        issued = self.generate()
        self.assertIsInstance(issued, Issued)
        return issued, self.demo.code(self.phone, issued.sms_reference)

    def claim(self, issued):
        return PaymentClaim(
            subscriber=self.subscriber, challenge_id=issued.challenge_id, purpose="payment",
            transaction=self.transaction)

    def verify(self, issued, code, key=UNSET):
        body = PaymentVerify(
            subscriber=self.subscriber, challenge_id=issued.challenge_id, purpose="payment",
            transaction=self.transaction, code=code)
        return verify.sync_detailed(client=self.client, body=body, idempotency_key=key)

    def look_up(self, issued):
        return get_challenge.sync(
            client=self.client, corporate_id=self.subscriber.corporate_id, user_id=self.subscriber.user_id,
            challenge_id=issued.challenge_id)

    def refused(self, problem, verdict):
        self.assertIsInstance(problem, NotApproved)
        self.assertIs(problem.verdict, verdict)
        return problem

    def test_a_payment_is_approved_once(self):
        issued, code = self.issue()
        self.assertEqual((issued.code_length, issued.attempts_left), (len(code), 3))
        approved = self.verify(issued, code).parsed
        self.assertIsInstance(approved, Approved)
        self.assertEqual(approved.challenge_id, issued.challenge_id)
        self.assertLess(approved.approved_at, issued.expires_at)
        self.refused(self.verify(issued, code).parsed, NotApprovedVerdict.ALREADY_USED)
        challenge = self.look_up(issued)
        self.assertIsInstance(challenge, Challenge)
        self.assertEqual((challenge.state, challenge.sends), (ChallengeState.APPROVED, 1))

    def test_a_call_with_the_same_key_gets_the_same_approval(self):
        issued, code = self.issue()
        key = str(uuid.uuid4())
        first, second = self.verify(issued, code, key), self.verify(issued, code, key)
        self.assertIsInstance(second.parsed, Approved)
        self.assertEqual(first.parsed, second.parsed)
        self.assertNotIn("Idempotency-Replayed", first.headers)
        self.assertEqual(second.headers["Idempotency-Replayed"], "true")

    def test_a_wrong_code_leaves_two_attempts(self):
        issued, code = self.issue()
        problem = self.refused(self.verify(issued, wrong(code)).parsed, NotApprovedVerdict.INCORRECT)
        self.assertEqual((problem.attempts_left, problem.retry_after_seconds), (2, UNSET))
        self.assertIsInstance(self.verify(issued, code).parsed, Approved)

    def test_another_amount_voids_the_challenge(self):
        issued, code = self.issue()
        self.transaction.amount = "1250001"
        self.refused(self.verify(issued, code).parsed, NotApprovedVerdict.TRANSACTION_CHANGED)
        self.assertIs(self.look_up(issued).state, ChallengeState.VOIDED)

    def test_an_unknown_subscriber_gets_no_code(self):
        problem = self.generate(subscriber=Subscriber(corporate_id="NUSA01", user_id="nobody"))
        self.assertIsInstance(problem, NotIssued)
        self.assertIs(problem.reason, NotIssuedReason.UNKNOWN_SUBSCRIBER)

    def test_a_resend_is_too_early_and_a_cancelled_challenge_is_over(self):
        issued, code = self.issue()
        early = resend.sync(client=self.client, body=self.claim(issued))
        self.assertIsInstance(early, TooEarly)
        self.assertGreater(early.retry_after_seconds, 0)
        self.assertIsInstance(cancel.sync(client=self.client, body=self.claim(issued)), Cancelled)
        self.refused(self.verify(issued, code).parsed, NotApprovedVerdict.CANCELLED)

    def test_an_amount_with_a_third_decimal_is_a_mistake_of_the_caller(self):
        self.transaction.amount = "1.505"
        problem = self.generate()
        self.assertIsInstance(problem, MalformedRequest)
        self.assertIs(problem.field, MalformedRequestField.AMOUNT)

    def test_a_wrong_key_is_refused(self):
        body = PaymentGenerate(subscriber=self.subscriber, purpose="payment", transaction=self.transaction)
        self.assertIsInstance(generate.sync(client=self.demo.client("otpgw_other"), body=body), Unauthorized)

    def test_the_examples_of_generate_work_at_the_demo_as_printed(self):
        # Their subscriber is one of the demo's.
        call = YAML(typ="safe").load(pathlib.Path(CONTRACT))["paths"]["/v1/otp/generate"]["post"]
        for name, example in call["requestBody"]["content"]["application/json"]["examples"].items():
            with self.subTest(name):
                answer = self.client.get_httpx_client().post("/v1/otp/generate", json=example["value"])
                self.assertEqual(answer.status_code, 201, answer.text)


def main():
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(PaymentTest)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    # A test with several subtests can fail several times.
    failed = len({test.id().split(" ")[0] for test, _ in result.failures + result.errors})
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)


if __name__ == "__main__":
    main()
