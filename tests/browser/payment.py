"""The demo bank's page in a real browser: pays, and is refused in every way a customer can meet."""

import json
import os
import re
import sys
import time
from functools import partial

from amounts import AMOUNTS
from answers import Answers
from attacks import Attacks
from cdp import Browser
from customer import Customer, Demo, another
from delivery import Deliveries
from line import kept_as, line
from page_checks import CONTRAST, check, no_overflow
from runner import passes, summary

LOCKED_AFTER = 5
SENDS_PER_DAY = 10


class Tests(Deliveries, Attacks, Answers):
    """Each test has a company of its own, so that no lock or limit reaches another one."""

    def __init__(self, demo, hasty, browser, pictures):
        self.demo = demo
        self.hasty = hasty  # Its codes live 30 s, and may be sent again after 1 s.
        self.browser = browser
        self.pictures = pictures

    def test_pays_with_the_code_from_the_handset_and_only_once(self, page):
        customer = Customer(page, self.demo, company=0)
        for label in ("Generate OTP", "One Time Password", "Konfirmasi Pembayaran"):
            check(label in page.text("main"), label)
        code = customer.generate()
        check("3:00" in page.text("#validity") or "2:5" in page.text("#validity"), page.text("#validity"))
        customer.confirm(code)
        receipt = page.text("#receipt")
        check("Pembayaran berhasil" in receipt and "12.500.000" in receipt, receipt)
        check(page.script("document.activeElement.id") == "receipt-title", "the receipt is not announced")
        check(page.script("document.querySelector('#confirm-card').hidden"), "a used code can be presented again")
        page.click("#new-payment")
        page.until("document.querySelector('#receipt').hidden && !document.querySelector('#amount').readOnly")

    def test_a_wrong_code_shows_the_attempts_left_until_there_are_none(self, page):
        customer = Customer(page, self.demo, company=1)
        wrong = another(customer.generate())
        check("Sisa percobaan: 2" in customer.confirm(wrong), page.text("#notice"))
        check("Sisa percobaan: 1" in customer.confirm(wrong), page.text("#notice"))
        page.fill("#code", "1")
        check(page.text("#notice") == "", "what was typed anew is blamed for what stood there before")
        check("tidak berlaku lagi" in customer.confirm(wrong), page.text("#notice"))
        customer.has_ended(focus="generate")
        customer.confirm(customer.generate())
        check("Pembayaran berhasil" in page.text("#receipt"), "a new code does not help")

    def test_a_changed_amount_is_refused(self, page):
        customer = Customer(page, self.demo, company=2)
        code = customer.generate()
        page.click("#edit-amount")
        page.fill("#amount", "13500000")
        page.key("Tab")
        check(page.script("document.querySelector('#amount').value") == "13.500.000", "digits are not grouped")
        page.click("#edit-amount")
        shown = customer.notice("13.500.000")
        check("12.500.000" in shown, shown)
        check("Pembayaran berubah" in customer.confirm(code), page.text("#notice"))
        customer.has_ended(focus="generate")
        check(page.script("document.querySelector('#receipt').hidden"), "it was paid")
        customer.confirm(customer.generate())
        check("13.500.000" in page.text("#receipt-amount"), page.text("#receipt-amount"))

    def test_too_many_wrong_codes_lock(self, page):
        customer = Customer(page, self.demo, company=3)
        for attempt in range(LOCKED_AFTER):
            if attempt % 3 == 0:
                code = customer.generate()
            shown = customer.confirm(another(code))
        check("dikunci sementara" in shown and "1500-000" in shown, shown)
        customer.has_ended(focus="notice")
        check(page.script("document.querySelector('#generate').disabled"), "a locked user can press Generate OTP")
        left = page.text("#lock-left")
        check(re.search(r"1[45]:\d\d", left), left)
        page.until(f"document.querySelector('#lock-left').textContent !== {json.dumps(left)}")
        page.open(self.demo.bank)
        page.until("!document.querySelector('#lock-left').hidden")
        check("dikunci sementara" in page.text("#notice"), "a page that is loaded anew forgets the lock")
        check(page.script("document.querySelector('#generate').disabled"), "and lets Generate OTP be pressed")
        check(page.script("document.querySelector('#receipt').hidden"), "it was paid")

    def test_a_lock_that_ends_leads_to_a_new_code_however_long_the_old_one_lives(self, page):
        customer = Customer(page, self.demo, company=9, user=1)
        for outlives in ("the lock", "the code"):
            customer.generate()
            page.script("import('/acts.js').then(({refused}) => { refused({outcome: 'locked', retry_after_seconds: 1}); })")
            check("dikunci sementara" in page.text("#notice"), page.text("#notice"))
            customer.has_ended(focus="notice")
            if outlives == "the lock":
                page.script("import('/state.js').then(({state}) => { state.challenge.endsAt = performance.now(); })")
            customer.notice("Kunci sudah berakhir")
            page.script("import('/ending.js').then(({tick}) => tick())")
            check("Kunci sudah berakhir" in page.text("#notice"), f"{outlives} lives longer: {page.text('#notice')}")
            customer.has_ended(focus="generate")
        customer.confirm(customer.generate())
        check("Pembayaran berhasil" in page.text("#receipt"), page.text("#notice"))

    def test_a_page_that_is_loaded_anew_says_that_the_branch_has_to_act(self, page):
        customer = Customer(page, self.demo, company=9, user=2)
        customer.generate()
        with line(page, kept_as("lock: { kind: 'disabled' }")):
            page.open(self.demo.bank)
            check("kantor cabang" in customer.notice("dinonaktifkan"), page.text("#notice"))
            for control in ("generate", "code", "confirm"):
                check(page.script(f"document.querySelector('#{control}').disabled"), f"{control} is not disabled")
            check(page.script("document.querySelector('#lock-left').hidden"), "it is said to end by itself")

    def test_the_language_is_switched_and_remembered(self, page):
        customer = Customer(page, self.demo, company=4)
        check(page.script("document.documentElement.lang") == "id", "the page does not begin in Indonesian")
        page.click("[data-language=en]")
        check("Payment details" in page.text("main"), page.text("main"))
        check(page.script("document.querySelector('#amount').value") == "12,500,000", "grouping")
        for label in ("Generate OTP", "One Time Password", "Konfirmasi Pembayaran"):
            check(label in page.text("main"), label)
        code = customer.generate()
        check("NEVER share it" in page.text("#messages"), page.text("#messages").replace(code, "…"))
        check("Wrong code" in customer.confirm(another(code)), page.text("#notice"))
        page.click("[data-language=id]")
        check("Kode salah" in page.text("#notice"), "a notice keeps the old language")
        page.click("[data-language=en]")
        page.open(self.demo.bank)
        page.until("document.documentElement.lang === 'en' && document.querySelector('#company').options.length > 0")

    def test_both_languages_have_every_sentence(self, page):
        page.open(self.demo.bank)
        texts = page.script("import('/texts.js').then((module) => module.texts)")
        holes = {
            language: {key: sorted(re.findall(r"\{\w+\}", json.dumps(text))) for key, text in sentences.items()}
            for language, sentences in texts.items()
        }
        check(holes["id"] == holes["en"], "a sentence or a hole is missing in one language")

    def test_the_keyboard_is_enough(self, page):
        page.open(self.demo.bank)
        page.until("document.querySelector('#company').options.length > 0")

        def tab_to(wanted):
            for _ in range(20):
                if page.script("document.activeElement.id") == wanted:
                    return
                page.key("Tab")
                check(page.script("document.activeElement === document.body || getComputedStyle("
                                  "document.activeElement).outlineStyle !== 'none'"), "focus is not visible")
            raise AssertionError(f"Tab does not lead to {wanted}")

        tab_to("amount")
        page.key("Tab")
        tab_to("generate")
        page.key("Enter")
        customer = Customer.__new__(Customer)
        customer.page = page
        page.type(customer.read_code())
        page.key("Enter")
        page.until("document.activeElement.id === 'receipt-title'")
        tab_to("new-payment")
        page.key("Space")
        page.until("document.activeElement.id === 'amount'")

    def test_a_form_with_mistakes_says_which(self, page):
        customer = Customer(page, self.demo, company=5)
        page.fill("#beneficiary-name", "Сумбер")
        page.fill("#amount", "0")
        page.click("#generate")
        customer.notice("belum lengkap")
        wrong = page.script("[...document.querySelectorAll('[aria-invalid=true]')].map((node) => node.id)")
        check(wrong == ["beneficiary-name", "amount"], str(wrong))
        check(page.script("document.activeElement.id") == "beneficiary-name", "the mistake has no focus")
        page.fill("#beneficiary-name", "CV Contoh")
        page.fill("#amount", "7500")
        code = customer.generate()
        page.fill("#code", code[:3])
        page.click("#confirm")
        page.until("document.querySelector('#code-error').textContent.includes('6 digit')")
        page.type("1")
        check(page.text("#code-error") == "", "a mistake is still shown after it was typed over")
        check("Sisa percobaan: 3" in page.text("#meters"), "an unfinished code cost an attempt")

    def test_abuse_72_an_amount_is_read_as_it_is_written_or_refused_in_words(self, page):
        page.open(self.demo.bank)
        texts = page.script("import('/texts.js').then((module) => module.texts)")
        read = page.script("import('/amount.js').then(({parseAmount}) => "
                           f"{json.dumps([written for written, _ in AMOUNTS])}.map(parseAmount))")
        for (written, expected), found in zip(AMOUNTS, read, strict=True):
            wanted = {"digits": expected} if expected.isdigit() else {"problem": expected}
            check(found == wanted, f"{written!r}: {found}")
            if "problem" in found:
                for language, sentences in texts.items():
                    check(f"amount_{expected}" in sentences, f"{language} has no words for {expected}")

    def test_an_amount_with_cents_is_not_paid_as_another_one(self, page):
        customer = Customer(page, self.demo, company=15)
        for written, words in (("1250000.50", "Sen tidak dapat"), ("Rp 1.25.000", "tidak pada tempatnya")):
            page.fill("#amount", written)
            check(page.text("#review-amount") == "–", page.text("#review-amount"))
            page.click("#generate")
            page.until(f"document.querySelector('#amount-error').textContent.includes({json.dumps(words)})")
            check(page.script("document.querySelector('#amount').value") == written, "what was typed is changed")
        page.fill("#amount", "Rp 1.250.000,00")
        check(page.text("#amount-error") == "", "a mistake is still shown after it was typed over")
        check(page.text("#review-amount") == "IDR 1.250.000", page.text("#review-amount"))
        customer.confirm(customer.generate())
        check(page.text("#receipt-amount") == "IDR 1.250.000", page.text("#receipt-amount"))

    def test_page_and_sms_write_alike_what_is_to_be_compared(self, page):
        for language, company in (("id", 16), ("en", 17)):
            customer = Customer(page, self.demo, company=company)
            page.click(f"[data-language={language}]")
            page.fill("#beneficiary-name", "PT ABC")  # A short one leaves room for the time.
            customer.generate()
            compared = page.script("[...document.querySelectorAll('.review .compared')].map((one) => one.innerText)")
            marks = page.script("[...document.querySelectorAll('.message mark')].map((one) => one.textContent)")
            check(len(compared) == 3 and compared == marks, f"{compared} {marks}")
            check(compared[0] == f"IDR {'12.500.000' if language == 'id' else '12,500,000'}", compared[0])
            until = page.text("#review-until")
            check(re.fullmatch(r"\d\d:\d\d WIB", until) and until in page.text("#messages"), until)
            check("compared" in page.script("document.querySelector('#review-amount').className"), "no emphasis")
            page.click("#cancel")
            page.until("document.querySelectorAll('.message mark').length === 0")

    def test_a_tap_on_the_sms_fills_in_the_code(self, page):
        customer = Customer(page, self.demo, company=14)
        code = customer.generate()
        page.click(".use-code")
        check(page.script("document.querySelector('#code').value") == code, "not filled in")
        page.fill("#code", "1")
        page.script("document.querySelector('.use-code').focus()")
        page.key("Enter")
        page.until(f"document.querySelector('#code').value === {json.dumps(code)}")
        check(page.script("document.activeElement.id") == "code", "the field has no focus")
        page.key("Enter")
        page.until("document.activeElement.id === 'receipt-title'")
        check(page.script("document.querySelector('.use-code') === null"), "a used code can be filled in")

    def test_escape_puts_the_notification_away(self, page):
        page.look(360, 780)
        customer = Customer(page, self.demo, company=14, user=2)
        customer.generate()
        page.until("!document.querySelector('#heads-up').hidden")
        page.key("Escape")
        page.until("document.querySelector('#heads-up').hidden")
        check(page.script("document.querySelector('#code').value") == "", "the code was filled in")

    def test_a_page_that_is_loaded_anew_keeps_its_payment(self, page):
        customer = Customer(page, self.demo, company=13, user=1)
        page.fill("#amount", "7777000")
        code = customer.generate()
        customer.confirm(another(code))
        page.open(self.demo.bank)
        page.until("document.querySelector('#code').disabled === false")
        check(page.script("document.querySelector('#amount').value") == "7.777.000", "the amount is forgotten")
        chosen = page.script("[document.querySelector('#company').selectedIndex, document.querySelector('#user').selectedIndex]")
        check(chosen == [13, 1], f"another user: {chosen}")
        check("Sisa percobaan: 2" in page.text("#meters"), page.text("#meters"))
        check(re.match("[0-3]:", page.text("#validity")), page.text("#validity"))
        customer.confirm(code)
        number = page.text("#receipt-number")
        page.open(self.demo.bank)
        page.until("document.querySelector('#receipt').hidden === false")
        check(page.text("#receipt-number") == number, "another receipt")
        page.click("#new-payment")
        page.open(self.demo.bank)
        page.until("document.querySelector('#company').options.length > 0")
        check(page.script("sessionStorage.length") == 0, "a payment that was left behind is kept")

    def test_a_user_with_a_hard_token_is_sent_to_the_branch(self, page):
        customer = Customer(page, self.demo, company=0, user=3)
        page.click("#generate")
        check("kantor cabang" in customer.notice("SMS OTP belum aktif"), page.text("#notice"))

    def test_the_days_messages_are_limited(self, page):
        customer = Customer(page, self.demo, company=6)
        customer.generate()
        page.click("#cancel")
        customer.notice("dibatalkan")
        customer.generate()
        page.click("#cancel")
        page.until("!document.querySelector('#generate-block').hidden")
        page.script(f"""(async () => {{
            const headers = {{"content-type": "application/json"}};
            const send = (path, body) => fetch(path, {{method: "POST", headers, body: JSON.stringify(body)}})
              .then((reply) => reply.json());
            const {{companies}} = await fetch("/api/companies").then((reply) => reply.json());
            const {{payment_id: id}} = await send("/api/payments", {{
              corporate_id: companies[6].corporate_id, user_id: companies[6].users[0].user_id,
              details: {{reference: "A", amount: "1", beneficiary_account: "1", beneficiary_name: "A"}}}});
            for (let sent = 2; sent < {SENDS_PER_DAY}; sent += 1) await send(`/api/payments/${{id}}/otp`, {{locale: "id"}});
        }})()""")
        page.click("#generate")
        customer.notice("Batas SMS hari ini")

    def test_a_code_is_sent_again_unchanged_and_at_most_twice(self, page):
        customer = Customer(page, self.hasty, company=0)
        code = customer.generate()
        for sends in (2, 3):
            page.click("#resend")  # Waits until its countdown is over.
            customer.notice("Kodenya sama")
            page.until(f"document.querySelectorAll('.message').length === {sends}")
            check(page.text("#messages").count(f"#{code}") == sends, "the code changed")
        page.until("document.querySelector('#resend').disabled")
        check("tidak tersedia" in page.text("#resend"), page.text("#resend"))
        customer.confirm(code)
        check("Pembayaran berhasil" in page.text("#receipt"), page.text("#notice"))

    def test_the_wall_shows_the_message_as_it_arrives(self, page):
        wall = self.browser.page()
        wall.open(self.demo.ready["simulator"])
        customer = Customer(page, self.demo, company=7)
        simulator = self.demo.ready["simulator"]
        check(page.script("document.querySelector('#wall').href") == simulator + "/", "the link")
        code = customer.generate()
        link = page.script("document.querySelector('#wall').href")
        check(re.fullmatch(re.escape(simulator) + r"/#/62812\d{8}/\w+", link), link)
        wall.until(f"document.body.innerText.includes({json.dumps('#' + code)})")
        check(wall.complaints == [], str(wall.complaints))
        wall.close()

    def test_a_narrow_window_shows_everything_without_scrolling_sideways(self, page):
        page.look(390, 844)
        customer = Customer(page, self.demo, company=8)
        no_overflow(page, "form")
        code = customer.generate()
        page.until("!document.querySelector('#heads-up').hidden")
        check(code in page.text("#heads-up-text"), "the phone's notification lacks the code")
        no_overflow(page, "code")
        page.click("#heads-up")
        page.until("document.querySelector('#heads-up').hidden")
        check(page.script("document.querySelector('#code').value") == code, "a tap does not fill in the code")
        check(page.script("document.activeElement.id") == "code", "the filled field has no focus")
        customer.confirm(another(code))
        no_overflow(page, "wrong code")
        page.look(320, 700)
        no_overflow(page, "wrong code at 320")
        customer.confirm(code)
        no_overflow(page, "receipt")
        page.click("[data-attack=guess]")
        page.until("document.querySelector('#attack-result').dataset.kind === 'ok'")
        page.until("document.querySelectorAll('#exchanges li').length > 64")
        page.script("for (const one of document.querySelectorAll('#exchanges details')) one.open = true")
        no_overflow(page, "attack")

    def test_every_text_can_be_read_in_light_and_dark(self, page):
        for number, (width, dark) in enumerate(((1280, False), (1280, True), (390, False), (390, True))):
            name = f"{width}-{'dark' if dark else 'light'}"
            page.look(width, 900, dark)
            customer = Customer(page, self.demo, company=9 + number)

            def picture(state):
                page.script("window.scrollTo(0, 0)")
                page.screenshot(os.path.join(self.pictures, f"{name}-{state}.png"))
                check(page.script(CONTRAST) == [], f"{name} {state}: {page.script(CONTRAST)}")

            def dismiss():
                """Puts the phone's notification away, which lies over the language switch."""
                if width < 960:
                    page.click("#heads-up")

            picture("1-form")
            code = customer.generate()
            picture("2-code")
            dismiss()
            customer.confirm(another(code))
            picture("3-wrong")
            page.click("#edit-amount")
            page.fill("#amount", "13500000")
            page.click("#edit-amount")
            customer.notice("13")
            picture("4-changed")
            customer.confirm(code)
            picture("5-refused")
            page.click("[data-language=en]")
            code = customer.generate()
            dismiss()
            customer.confirm(code)
            picture("6-receipt")
            page.click("[data-attack=flood]")
            page.until("document.querySelector('#attack-result').dataset.kind === 'ok'")
            page.until("document.querySelectorAll('#exchanges li').length > 64")
            page.click("#exchanges summary")
            picture("7-attack")
            page.click("[data-language=id]")


def expired(customer):
    """A code that ran out while the other tests ran is refused without a comparison."""
    customer.notice("kedaluwarsa")
    customer.has_ended(focus="generate")
    customer.generate()


def main(binary, chromium, pictures):
    os.makedirs(pictures, exist_ok=True)
    started = time.monotonic()
    demos, browser = [], None
    try:
        demos.append(Demo(binary))
        demos.append(Demo(binary, "--ttl-seconds=30", "--resend-after-seconds=1"))
        demo, hasty = demos
        browser = Browser(chromium)
        # Its code runs out while the others run.
        expiring = Customer(browser.page(), hasty, company=1)
        expiring.generate()
        tests = Tests(demo, hasty, browser, pictures)
        ours = (demo.bank, hasty.bank)
        results = []
        for name in (name for name in dir(tests) if name.startswith("test_")):
            page = browser.page()
            results.append(passes(name, partial(getattr(tests, name), page), page, ours, pictures))
        results.append(passes("expired", partial(expired, expiring), expiring.page, ours, pictures))
    finally:
        if browser:
            browser.close()
        stopped = [demo.stop() for demo in demos]
    results.append(stopped == [0, 0])
    if stopped != [0, 0]:
        print(f"FAILED  a demo ended with {stopped} on SIGTERM")
    return summary(results, started)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
