"""The attacks that the page offers: each is stopped, and the page says how."""

from customer import Customer
from line import line, lost
from page_checks import check


def attack(page, name):
    """Presses the attack's button; returns what the page says became of it."""
    page.click(f"[data-attack={name}]")
    page.until(f"document.querySelector('[data-attack={name}]').getAttribute('aria-busy') === null"
               " && document.querySelector('#attack-result').dataset.kind !== 'none'")
    check(page.script("document.querySelector('#attack-result').dataset.kind") == "ok", page.text("#attack-result"))
    return page.text("#attack-result")


class Attacks:
    def test_a_changed_payee_is_refused_although_the_code_is_right(self, page):
        customer = Customer(page, self.demo, company=0, user=1)
        customer.generate()
        shown = attack(page, "payee")
        check("Tidak satu pun disetujui" in shown and "transaction_changed" in shown, shown)
        check("CV Rekening Penipu" in shown, shown)
        check(page.script("document.querySelector('#beneficiary-name').value") == "PT Sumber Makmur Contoh", "the customer's payment was changed")
        check("Pembayaran berubah" in customer.notice("ditolak"), page.text("#notice"))
        customer.confirm(customer.generate())
        check(page.text("#receipt-name") == "PT Sumber Makmur Contoh", page.text("#receipt-name"))

    def test_an_attack_that_breaks_off_leaves_the_customers_payment(self, page):
        customer = Customer(page, self.demo, company=10, user=1)
        customer.generate()
        with line(page, lost("method === 'PUT' && (window.changes = (window.changes ?? 0) + 1) > 1")):
            attack(page, "payee")
        page.open(self.demo.bank)
        page.until("document.querySelector('#company').selectedIndex === 10")
        for field in ("#beneficiary-name", "#review-name"):
            shown = page.script(f"(document.querySelector('{field}').value ?? document.querySelector('{field}').textContent)")
            check(shown == "PT Sumber Makmur Contoh", shown)

    def test_of_many_confirmations_at_once_exactly_one_is_approved(self, page):
        Customer(page, self.demo, company=1, user=1)
        for name, sent in (("twice", 2), ("flood", 64)):
            shown = attack(page, name)
            check("Tepat satu disetujui" in shown and f"{sent - 1} ×" in shown, shown)
            tiles = page.script("[...document.querySelectorAll('#attack-tiles i')].map((one) => one.dataset.outcome)")
            check(len(tiles) == sent and tiles.count("approved") == 1, str(tiles))
            check("IDR 12.500.000" in page.text("#receipt"), "the payment that was approved is not shown")
            verified = page.until(
                f"document.querySelectorAll('#exchanges li').length > {sent} && [...document.querySelectorAll("
                "'#exchanges .status')].filter((one) => one.textContent === '200 approved').length")
            check(verified == 1, f"the exchange shows {verified} approvals")

    def test_guesses_at_once_are_compared_three_times_and_then_lock(self, page):
        customer = Customer(page, self.demo, company=2, user=1)
        shown = attack(page, "guess")
        check("Tidak satu pun disetujui" in shown and "2 ×" in shown and "62 ×" in shown, shown)
        customer.notice("tidak berlaku lagi")
        check("locked" in attack(page, "guess"), page.text("#attack-result"))
        check(page.script("document.querySelector('#generate').disabled"), "a locked user can press Generate OTP")
        page.click("[data-attack=twice]")
        page.until("document.querySelector('#attack-verdict').textContent.includes('Tidak ada kode')")

    def test_a_code_is_of_no_use_to_a_colleague_and_works_once(self, page):
        Customer(page, self.demo, company=3, user=1)
        shown = attack(page, "colleague")
        check("Tepat satu disetujui" in shown and "unknown_challenge" in shown, shown)
        shown = attack(page, "replay")
        check("Tepat satu disetujui" in shown and "already_used" in shown, shown)

    def test_the_exchange_is_shown_without_codes_and_keys(self, page):
        customer = Customer(page, self.demo, company=4, user=1)
        code = customer.generate()
        customer.confirm(code)
        page.until("document.querySelector('#exchanges .status').textContent === '200 approved'")
        page.script("for (const one of document.querySelectorAll('#exchanges details')) one.open = true")
        shown = page.text("#exchanges")
        for word in ("POST /v1/otp/generate", "201", "POST /v1/otp/verify", '"verdict": "approved"', "••••••"):
            check(word in shown, word)
        for secret in (code, self.demo.ready["api_key"]):
            check(secret not in shown, "a secret is shown")
        page.click("#new-payment")
        page.until("document.querySelector('#exchanges').children.length === 0")

    def test_an_attack_is_told_in_the_language_that_is_chosen(self, page):
        Customer(page, self.demo, company=5, user=1)
        attack(page, "twice")
        page.click("[data-language=en]")
        shown = page.text("#attack-result")
        check("Exactly one was approved" in shown and "IDR 12,500,000" in shown, shown)
        check("Request" in page.script("document.querySelector('#exchanges .part').textContent"), "the exchange")
        page.click("[data-language=id]")
