"""What became of the SMS, as the page follows it."""

import os
from contextlib import contextmanager

from customer import Customer
from line import kept_as, line
from page_checks import CONTRAST, check, no_overflow


# The operator's report reaches the page when the test says so, however slow the machine is.
ACCEPTED_UNTIL_ARRIVED = kept_as("""challenge: payment.challenge && {
    ...payment.challenge, delivery: window.hasArrived ? payment.challenge.delivery : 'accepted',
}""")


class Deliveries:
    """Each test has a company of its own, whose operator it may make to fail."""

    @contextmanager
    def operator(self, page, company, user, rule):
        """An operator who treats this user's SMS so."""
        numbers = [one["phone"].lstrip("+") for one in self.demo.ready["subscribers"]]
        # Three users of each company are on SMS OTP.
        number = numbers[3 * company + user]
        self.demo.behave(f'[[rule]]\nto = "{number}"\n{rule}\n')
        try:
            yield Customer(page, self.demo, company, user)
        finally:
            self.demo.behave("")

    def test_the_sms_is_followed_until_it_has_arrived(self, page):
        customer = Customer(page, self.demo, company=16, user=1)
        with line(page, ACCEPTED_UNTIL_ARRIVED):
            page.click("#generate")
            customer.notice("SMS ada di operator")
            check(page.script("document.querySelector('#track').dataset.delivery") == "accepted", "the track")
            page.script("window.hasArrived = true")
            customer.notice("SMS sudah sampai")
            check(page.text("#track-delivered") == "Ponsel", page.text("#track-delivered"))
            # Longer than from one look to the next.
            looks = len([url for url in page.requests if "/api/payments/" in url])
            page.script("new Promise((resolve) => setTimeout(resolve, 1500))")
            more = len([url for url in page.requests if "/api/payments/" in url])
            check(more == looks, "a page whose SMS has arrived asks on")

    def test_an_sms_that_failed_says_so_and_can_be_sent_again_now(self, page):
        for user, state, words in ((0, "UNDELIV", "SMS tidak sampai"), (1, "REJECTD", "ditolak operator"),
                                   (2, "EXPIRED", "tidak sampai pada waktunya")):
            with self.operator(page, company=15, user=user, rule=f'receipts.states = ["{state}"]') as customer:
                page.click("#generate")
                customer.notice(words)
                page.until("document.activeElement.id === 'resend'")
                check(page.text("#resend") == "Kirim ulang sekarang", page.text("#resend"))
                check(page.text("#track-delivered") == "Tidak sampai", page.text("#track-delivered"))
                self.demo.behave("")
                page.click("#resend")
                customer.read_code()
                check(page.text("#resend") != "Kirim ulang sekarang", "an SMS that arrived is to be sent again")
                page.click("#cancel")
                customer.notice("Kode dibatalkan")

    def test_an_sms_of_which_nothing_is_known_says_so(self, page):
        with self.operator(page, company=14, user=1, rule='submit.disconnect = "before_response"') as customer:
            page.click("#generate")
            customer.notice("Belum pasti apakah SMS sampai")
            check("Tidak pasti" in page.text("#track"), page.text("#track"))

    def test_bad_news_can_be_read_in_light_and_dark(self, page):
        for company, (width, dark) in zip((15, 16, 17), ((1280, False), (360, True), (360, False)), strict=True):
            page.look(width, 800, dark)
            with self.operator(page, company, user=2, rule='receipts.states = ["UNDELIV"]') as customer:
                page.click("#generate")
                customer.notice("SMS tidak sampai")
                name = f"{width}-{'dark' if dark else 'light'}-8-undelivered"
                page.screenshot(os.path.join(self.pictures, f"{name}.png"))
                check(page.script(CONTRAST) == [], f"{name}: {page.script(CONTRAST)}")
                no_overflow(page, name)
