"""Answers of the bank that are lost, late or missing, and what the page says then."""

from customer import Customer
from line import CONFIRM_LOST, kept_as, line, lost
from page_checks import check

ENABLED = "document.querySelector('#code').disabled === false"
PAID = "document.querySelector('#receipt').hidden === false"


class Answers:
    def test_a_confirmation_whose_answer_is_lost_is_looked_for_until_the_bank_has_the_receipt(self, page):
        customer = Customer(page, self.demo, company=6, user=1)
        code = customer.generate()
        with line(page, CONFIRM_LOST):
            page.fill("#code", code)
            page.click("#confirm")
            page.until(PAID)
            check(page.script("document.activeElement.id") == "receipt-title", "the receipt is not announced")

    def test_without_a_receipt_no_payment_is_said_to_be_made(self, page):
        customer = Customer(page, self.demo, company=7, user=1)
        code = customer.generate()
        with line(page, CONFIRM_LOST, kept_as("receipt: null")):
            page.fill("#code", code)
            page.click("#confirm")
            page.until("window.looks >= 2")  # The first one has been shown when the second begins.
            check("belum dapat dipastikan" in page.text("#notice"), page.text("#notice"))
            check(page.script(ENABLED), "the same code cannot be presented again")
            page.open(self.demo.bank)
            page.until(ENABLED)
            check("belum dapat dipastikan" in page.text("#notice"), page.text("#notice"))
            page.until("window.looks >= 2")
            check(page.script(ENABLED) and "belum dapat dipastikan" in page.text("#notice"), page.text("#notice"))
        page.until(PAID)

    def test_what_is_under_way_cannot_be_changed_and_the_review_is_what_the_bank_keeps(self, page):
        customer = Customer(page, self.demo, company=8, user=1)
        held = "path.endsWith('/otp') ? new Promise((resolve) => { window.release = resolve; }).then(go)"
        with line(page, held):
            page.click("#generate")
            page.until("window.release !== undefined")
            for choice in ("company", "user"):
                check(page.script(f"document.querySelector('#{choice}').disabled"), f"another {choice} can be chosen")
            page.fill("#amount", "99")
            page.script("release()")
            customer.read_code()
        amounts = page.script("['amount', 'review-amount'].map((id) => document.getElementById(id)).map((one) => one.value ?? one.innerText)")
        check(amounts == ["12.500.000", "IDR 12.500.000"], str(amounts))
        page.script("""(() => {
            document.querySelector('#amount').value = '99';
            document.querySelector('#amount').dispatchEvent(new Event('input', {bubbles: true}));
        })()""")
        check(page.text("#review-amount") == "IDR 12.500.000", "the review is not what the code is for")

    def test_a_page_that_is_not_answered_at_first_asks_again_and_keeps_its_payment(self, page):
        customer = Customer(page, self.demo, company=10, user=2)
        code = customer.generate()
        for missing in ("/api/companies", "/api/payments/"):
            with line(page, lost(f"path.startsWith('{missing}') && !window.answers")):
                page.open(self.demo.bank)
                customer.notice("Bank belum dapat dihubungi")
                check(page.script("document.querySelector('#generate').disabled"), "a form that nothing listens to")
                page.click("[data-language=en]")
                customer.notice("The bank cannot be reached")
                page.click("[data-language=id]")
                page.script("window.answers = true")
                page.until(ENABLED)
                chosen = page.script("['company', 'user'].map((id) => document.getElementById(id).selectedIndex)")
                check(chosen == [10, 2], f"{missing}: {chosen}")
                check("dihubungi" not in page.text("#notice"), page.text("#notice"))
        customer.confirm(code)
        check("Pembayaran berhasil" in page.text("#receipt"), page.text("#notice"))

    def test_calls_are_shown_again_after_an_answer_that_never_came(self, page):
        customer = Customer(page, self.demo, company=11, user=1)
        page.script("""AbortSignal.timeout = () => {
            const time = new AbortController();
            return Object.assign(time.signal, { runOut: () => time.abort() });
        }; null""")
        hang = """path.includes('/exchanges') && window.waiting === undefined ? new Promise((_, reject) => {
            window.waiting = signal ?? null;
            signal?.addEventListener('abort', () => reject(signal.reason));
        })"""
        with line(page, hang):
            code = customer.generate()
            page.until("window.waiting !== undefined")
            page.script("window.waiting?.runOut()")
            customer.confirm(code)
            page.until("document.querySelector('#exchanges .status')?.textContent === '200 approved'")
