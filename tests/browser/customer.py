"""A user at the demo bank's page, with the handset beside it."""

import json
import re
import urllib.request

from page_checks import check
from program import Program

CODE = re.compile(r"#(\d{6,10})\s*$")


class Demo(Program):
    """One demo process, with any free ports."""

    def __init__(self, binary, *options):
        ports = [f"--{name}-port=0" for name in ("gateway", "admin", "smpp", "simulator", "bank")]
        super().__init__(binary, "--ready-json", *ports, *options)
        self.bank = self.ready["bank"]

    def behave(self, behavior):
        """Has the simulated operator behave so."""
        request = urllib.request.Request(f"{self.ready['simulator']}/behavior", behavior.encode(),
                                         {"content-type": "application/toml"}, method="PUT")
        urllib.request.urlopen(request).close()


class Customer:
    """A user at the bank's page, with the handset beside it."""

    def __init__(self, page, demo, company, user=0):
        self.page = page
        page.open(demo.bank)
        if page.script("sessionStorage.length") > 0:  # Somebody else's payment in this tab.
            page.script("sessionStorage.clear()")
            page.open(demo.bank)
        page.until("document.querySelector('#company').options.length > 0")
        page.script(f"document.querySelector('#company').selectedIndex = {company}")
        page.script("document.querySelector('#company').dispatchEvent(new Event('change', {bubbles: true}))")
        if user:
            page.script(f"document.querySelector('#user').selectedIndex = {user}")
            page.script("document.querySelector('#user').dispatchEvent(new Event('change', {bubbles: true}))")

    def generate(self):
        """Presses the button, waits for the SMS, and reads its code as a person does."""
        self.page.click("#generate")
        return self.read_code()

    def read_code(self):
        self.page.until("document.activeElement.id === 'code'")
        self.page.until("document.querySelector('#track').dataset.delivery === 'delivered'")
        reference = self.page.text("#review-reference")
        found = self.page.until(
            "[...document.querySelectorAll('.message p')].map((p) => p.innerText)"
            f".findLast((text) => text.includes({json.dumps(reference)}))")
        return CODE.search(found).group(1)

    def confirm(self, code):
        """Types the code and presses the button; returns the notice, or the receipt's heading."""
        page = self.page
        page.fill("#code", code)
        page.script("document.querySelector('#notice-title').textContent = ''")  # Whatever it says will be new.
        page.click("#confirm")
        page.until("document.querySelector('#confirm').getAttribute('aria-busy') === null"
                   " && (document.querySelector('#notice-title').textContent !== ''"
                   " || !document.querySelector('#receipt').hidden)")
        return page.text("#notice")

    def has_ended(self, focus):
        """Checks that nothing can be done with the code any more, and that the next step has the focus."""
        page = self.page
        for control in ("code", "confirm", "cancel"):
            check(page.script(f"document.querySelector('#{control}').disabled"), f"{control} is not disabled")
        check(page.script("document.querySelector('#secondary').hidden"), "a dead code can be sent again")
        check(page.script("document.activeElement.id") == focus, page.script("document.activeElement.id"))

    def notice(self, word):
        """Waits for a notice with this word."""
        return self.page.until(
            f"document.querySelector('#notice').innerText.includes({json.dumps(word)})"
            " && document.querySelector('#notice').innerText")


def another(code):
    return "000001" if code == "000000" else "000000"
