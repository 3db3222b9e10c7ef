"""The simulator's page in a real browser: the wall, conversations, details, the behaviour, replies."""

import json
import os
import sys
import time
from functools import partial

from cdp import WAIT_SECONDS, Browser
from esme import BIND_TRANSMITTER, USER_DATA_HEADER, Esme, tlv
from page_checks import CONTRAST, check, no_overflow
from program import Program
from runner import passes, summary

THROTTLED = 0x58
# As in wall.js, conversation.js and list.js.
HANDSETS_MAX, BUBBLES_MAX, MESSAGES_MAX, LINES_MAX = 60, 5, 200, 500
# Messages that a page reads when it is opened, as in feed.js.
OPENING_MESSAGES = 500
# The simulator's, for each session.
WINDOW = 256
TOKEN = "open-sesame"
# What the browser says by itself of a reply that refuses; the page has to say it, too.
REFUSALS = ("status of 401", "status of 404", "status of 409", "status of 422")
MARK = tlv(0x0204, b"\0\7") + tlv(0x1400, bytes(range(17)))


class Simulator(Program):
    """One simulator process, with any free ports."""

    def __init__(self, binary, *options):
        ports = ["--smpp-listen", "127.0.0.1:0", "--web-listen", "127.0.0.1:0"]
        super().__init__(binary, "serve", "--ready-json", "--log", "warn", *ports, *options)
        self.web = self.ready["web"]


def handset(number):
    return f"document.querySelector('.wall:not([hidden]) .handset-open[data-number=\"{number}\"]')"


def shown(number):
    return f"{handset(number)}?.getClientRects().length > 0"


def bubbles():
    return "[...document.querySelectorAll('#thread button.bubble')].map((node) => node.innerText)"


class Tests:
    """Each test has numbers of its own, and leaves the behaviour healthy."""

    def __init__(self, binary, simulator, esme, browser, pictures):
        self.binary = binary
        self.simulator = simulator
        self.esme = esme
        self.browser = browser
        self.pictures = pictures

    def submit(self, to, text, **fields):
        status, message_id = self.esme.submit(to, text, **fields)
        check(status == 0, f"refused with {status:#x}")
        return message_id

    def submit_all(self, esme, messages):
        """Submits many messages: as many at a time as may be unanswered."""
        for batch in range(0, len(messages), WINDOW):
            sent = [esme.send(to, text) for to, text in messages[batch:batch + WINDOW]]
            check(all(esme.answer(one)[0] == 0 for one in sent), "refused")

    def open(self, page, simulator=None, place=""):
        page.open("about:blank")  # From one place of a page to another, nothing would be loaded.
        page.open((simulator or self.simulator).web + "/" + place)
        page.until("document.querySelector('#state').dataset.state === 'live'")

    def conversation(self, page, number):
        """Opens a handset's conversation by a click, and waits for its messages."""
        page.until(shown(number))
        page.click(f".wall:not([hidden]) .handset-open[data-number='{number}']")
        page.until("document.querySelectorAll('#thread .message').length > 0")

    def details(self, page, text):
        """Opens the details of the message with this text."""
        page.script(f"[...document.querySelectorAll('#thread button.bubble')]"
                    f".find((node) => node.innerText.includes({json.dumps(text)})).id = 'wanted'")
        page.click("#wanted")
        page.until("document.querySelector('#thread .facts dd')")

    def show_as(self, page, view):
        page.click(f"[name=view][value={view}] + span")

    def facts(self, page):
        return dict(page.script("[...document.querySelectorAll('#thread .facts > div')]"
                                ".map((row) => [row.children[0].innerText, row.children[1].innerText])"))

    def behave(self, page, toml):
        """Writes a behaviour into the editor and applies it."""
        if page.script("document.querySelector('#behavior').hidden"):
            page.click("#behavior-open")
        page.script(f"""(() => {{
            const text = document.querySelector("#behavior-text");
            text.value = {json.dumps(toml)};
            text.dispatchEvent(new Event("input", {{bubbles: true}}));
        }})()""")
        page.click("#behavior-form .primary")
        page.until("['good', 'fault'].includes(document.querySelector('#behavior-told').dataset.kind)")
        return page.text("#behavior-told")

    def test_a_message_is_on_its_handset_at_once(self, page):
        self.open(page)
        self.submit("628110000001", "kode 482913")
        page.until(shown("628110000001"))
        wall = page.text("#wall")
        check("+628110000001" in wall and "kode 482913" in wall and "BANK" in wall, wall)
        check("valid 3 min" in wall, wall)
        page.until("Number(document.querySelector('#accepted').textContent.replace(/\\D/g, '')) > 0")
        check(page.text("#sessions") == "1", page.text("#sessions"))

    def test_a_search_finds_a_number_on_the_wall_and_among_older_ones(self, page):
        self.submit("628120990000", "the oldest of all")
        for other in range(HANDSETS_MAX + 5):
            self.submit(f"6281209{other:05}", "another handset")
        self.open(page)
        page.until(f"document.querySelectorAll('.handset').length === {HANDSETS_MAX}")
        check(not page.script(shown("628120990000")), "the oldest handset is still on the wall")
        page.until(f"document.querySelector('#bound').innerText.startsWith('The newest {HANDSETS_MAX} of ')")
        page.fill("#search", "0900064")
        page.until("document.querySelectorAll('#found-wall .handset').length === 1")
        check(page.script(shown("628120900064")), page.text("#found-wall"))
        page.fill("#search", "62 812-0990 000")
        page.until(shown("628120990000"))
        check("the oldest of all" in page.text("#found-wall"), page.text("#found-wall"))
        page.fill("#search", "628999999")
        page.until("!document.querySelector('#empty').hidden")
        check("Nothing found" in page.text("#empty"), page.text("#empty"))
        check("Write from +628999999" in page.text("#empty"), page.text("#empty"))

    def test_counters_are_the_simulator_s_however_late_a_page_is_opened(self, page):
        late = Simulator(self.binary)
        try:
            esme = Esme(late.ready)
            of_one = [("628110000050", f"message {count}") for count in range(300)]
            others = [(f"62812000{count % (HANDSETS_MAX + 10):04}", "x") for count in range(OPENING_MESSAGES)]
            self.submit_all(esme, of_one + others)
            self.submit_all(esme, of_one[:1])
            self.open(page, late)
            page.until(f"document.querySelector('#messages').textContent === '{len(of_one) + len(others) + 1}'")
            check(page.text("#handsets") == str(HANDSETS_MAX + 11), page.text("#handsets"))
            page.until(f"{handset('628110000050')}?.closest('.handset').innerText.includes('301 messages')")
            self.conversation(page, "628110000050")
            page.until("document.querySelector('#conversation-sub').textContent"
                       f" === 'the newest {MESSAGES_MAX} of 301 messages'")
            esme.close()
        finally:
            late.stop()
        page.until("document.querySelector('#state').textContent === 'Reconnecting'")
        page.complaints.clear()

    def test_a_search_looks_at_text_sender_reference_and_every_spelling_of_a_number(self, page):
        self.submit("628110000061", "kode 482913 utk masuk, ref QX7Z")
        self.submit("628110000062", "kode 111111, ref QX7Y", source="OtherBank")
        self.submit("628110000063", "neither of them")
        self.open(page)

        def found(what, *numbers):
            page.fill("#search", what)
            page.until(f"JSON.stringify([...document.querySelectorAll('#found-wall:not([hidden]) .handset-open')]"
                       f".map((one) => one.dataset.number).sort()) === '{json.dumps(numbers, separators=(',', ':'))}'")

        found("#qx7z", "628110000061")
        found("ref QX7", "628110000061", "628110000062")
        found("otherbank", "628110000062")
        found("0811 0000 061", "628110000061")
        found("+62 811-0000-063", "628110000063")
        found("0811000006", "628110000061", "628110000062", "628110000063")
        page.fill("#search", "#QX7")
        page.until("!document.querySelector('#empty').hidden")
        check("Nothing found" in page.text("#empty"), "a part of a reference finds it")
        found("ref QX7", "628110000061", "628110000062")
        self.submit("628110000064", "kode 222222, ref QX7A")
        self.submit("628110000065", "no such thing")
        page.until(shown("628110000064"))
        check(not page.script(shown("628110000065")), "it shows what nobody looks for")
        page.fill("#search", "x")
        page.key("Backspace")
        page.until(shown("628110000065"))

    def test_a_link_leads_to_a_number_and_to_a_message(self, page):
        old = self.submit("628110000071", "the first of many")
        self.submit_all(self.esme, [("628110000071", f"and {count}") for count in range(MESSAGES_MAX + 5)])
        last = self.submit("628110000071", "the last of many")
        self.open(page, place="#/628110000071")
        page.until("document.activeElement.id === 'conversation-title'")
        page.until(f"{bubbles()}.length === {MESSAGES_MAX}")
        check(page.text("#conversation-title") == "+628110000071", page.text("#conversation-title"))
        for message_id, text in ((last, "the last of many"), (old, "the first of many")):
            self.open(page, place=f"#/628110000071/{message_id}")
            page.until("document.querySelector('#thread .facts dd')")
            check(self.facts(page)["message_id"] == message_id, str(self.facts(page)))
            check(text in page.text("#thread [aria-current=true]"), page.text("#thread [aria-current=true]"))
            check(page.script("document.activeElement.ariaCurrent") == "true", "the focus is not at the message")
        self.open(page, place="#/628110000071/00000000000000ff")
        page.until("document.querySelector('#reply-told').innerText.includes('not in the inbox any more')")

    def test_the_address_follows_what_is_shown_and_back_and_forward_work(self, page):
        one = self.submit("628110000072", "of one")
        self.submit("628110000073", "of another")
        self.open(page)

        def at(place):
            page.until(f"location.hash === {json.dumps(place)}")

        self.conversation(page, "628110000072")
        at("#/628110000072")
        self.details(page, "of one")
        at(f"#/628110000072/{one}")
        page.click(".wall:not([hidden]) .handset-open[data-number='628110000073']")
        at("#/628110000073")
        page.click("#behavior-open")
        at("#/behavior")
        page.script("history.back()")
        page.until("document.querySelector('#conversation-title').innerText === '+628110000073'")
        page.script("history.back()")
        page.until("document.querySelector('#thread .facts dd')")
        check(self.facts(page)["message_id"] == one, str(self.facts(page)))
        page.script("history.back()")
        page.until("document.querySelectorAll('#thread .details').length === 0")
        at("#/628110000072")
        page.script("history.forward()")
        page.until("document.querySelectorAll('#thread .details').length === 1")
        page.key("Escape")
        at("#/")
        check(page.script("document.querySelector('#panel').hidden"), "the panel is still there")

    def test_details_come_into_view_when_they_are_opened(self, page):
        self.submit_all(self.esme, [("628110000074", f"line {count}") for count in range(30)])
        for width, height in ((1280, 900), (360, 740)):
            page.look(width, height)
            self.open(page)
            self.conversation(page, "628110000074")
            page.until(f"{bubbles()}.length === 30")
            self.details(page, "line 29")
            page.until("""(() => {
                const box = (one) => document.querySelector(one).getBoundingClientRect();
                const [thread, bubble, details] = ["#thread", "#wanted", "#thread .details"].map(box);
                const all = details.bottom <= thread.bottom;
                const beginning = bubble.top >= thread.top && bubble.top < thread.top + 30;
                return bubble.top >= thread.top && (all || beginning);
            })()""")
            no_overflow(page, f"details at {width}")

    def test_a_code_is_copied_also_without_leave_to_use_the_clipboard(self, page):
        page.grant("clipboardReadWrite", "clipboardSanitizedWrite")
        self.open(page)
        for text, code in (
            ("Bank: kode 482913 utk bayar IDR 1.250.000 rek 7890.\n@bank.example #482914", "482914"),
            ("Your OTP is 0042, pay 1,250,000 to 7890", "0042"),
            ("\u0631\u0645\u0632\u0643 \u0647\u0648 482913", "482913"),
            ("Paid 1,250,000 to 7890 at 16:15", None),
            ("Shopping 12345 for 7890", None),
            ("Call +628110000001", None),
            ("Your code is 12", None),
        ):
            found = page.script(f"import('/code.js').then(({{ codeIn }}) => codeIn({json.dumps(text)}))")
            check(found == code, f"{text}: {found}")
        self.submit("628110000075", "Bank: kode 482913 utk bayar IDR 1.250.000 rek 7890 ref 0W3G.\n@bank.example #482913")
        self.submit("628110000075", "Your code is 55 0. Pay 1,250,000 by 16:15. Kode: 0042")
        self.submit("628110000075", "no digits here")
        self.open(page)
        self.conversation(page, "628110000075")

        def copies(text, code):
            self.details(page, text)
            page.until(f"document.querySelector('#thread .code-row button').innerText === 'Copy code {code}'")
            page.click("#thread .code-row button")
            page.until(f"document.querySelector('#thread .code-row').innerText.includes('{code} is copied')")
            check(page.script("navigator.clipboard.readText()") == code, "something else is in the clipboard")
            check(page.script("document.activeElement.matches('.code-row button')"), "the focus has gone elsewhere")
            page.script("document.querySelector('#wanted').removeAttribute('id')")

        copies("IDR 1.250.000", "482913")
        page.script("navigator.clipboard.writeText = () => Promise.reject(new Error('not allowed'))")
        copies("Your code is", "0042")
        self.details(page, "no digits")
        check(page.script("document.querySelector('#thread .code-row').hidden"), "a code where there is none")

    def test_a_list_stands_beside_the_wall_and_is_remembered(self, page):
        self.submit_all(self.esme, [("628110000076", f"row {count}") for count in range(LINES_MAX + 20)])
        wanted = self.submit("628110000077", "the wanted row")
        self.open(page)
        page.until(shown("628110000077"))
        self.show_as(page, "list")
        lines = "[...document.querySelectorAll('#list .line')]"
        page.until(f"{lines}.length > 400 && {lines}[0].innerText.includes('the wanted row')")
        check(page.script("document.querySelector('#wall').hidden"), "the wall is still there")
        self.submit_all(self.esme, [("628110000076", f"more {count}") for count in range(LINES_MAX + 20)])
        page.until(f"{lines}[0].innerText.includes('more {LINES_MAX + 19}')")
        check(page.script(f"{lines}.length") == LINES_MAX, page.script(f"{lines}.length"))
        page.until("document.querySelector('#bound').innerText.startsWith('The newest 500 of ')")
        self.open(page)
        page.until(f"{lines}.length === {LINES_MAX}")
        check(page.script("document.querySelector('#wall').hidden"), "the choice is forgotten")
        page.fill("#search", "more")
        page.until("document.querySelector('#bound').innerText.includes('newest that were found')")
        page.fill("#search", "the wanted row")
        page.until("document.querySelectorAll('#found-list .line').length === 1")
        page.click("#found-list .line")
        page.until("document.querySelector('#thread .facts dd')")
        check(page.script("location.hash") == f"#/628110000077/{wanted}", page.script("location.hash"))
        page.key("Escape")
        page.until("document.activeElement.matches('#found-list .line')")
        page.fill("#search", "row 1")
        page.until("document.querySelectorAll('#found-list .line').length > 10")
        page.script("document.querySelector('#found-list .line').focus()")
        page.key("ArrowDown")
        check(page.script(f"document.activeElement === document.querySelectorAll('#found-list .line')[1]"), "the down arrow")
        page.key("Enter")
        page.until("document.querySelector('#thread [aria-current=true]')?.innerText.includes('row 1')")

    def test_a_profile_is_one_click_away_and_a_sign_says_so_in_every_view(self, page):
        self.submit("628110000078", "in bad times")
        other = self.browser.page()
        for one in (page, other):
            self.open(one)
            check(one.script("document.querySelector('#sick').hidden"), "a sign on a good day")
        page.click(".profile[data-name='throttling']")
        for one in (page, other):
            one.until("/Not healthy: Throttling, since \\d\\d:\\d\\d:\\d\\d/.test(document.querySelector('#sick').innerText)")
            check("ESME_RTHROTTLED" in one.text("#sick"), one.text("#sick"))
            check(one.text("#behavior-name") == "Throttling", one.text("#behavior-name"))
            check(one.script("document.title").startswith("\u26a0 Throttling"), one.script("document.title"))
        check(page.script("document.querySelector('.profile[aria-pressed=true]').dataset.name") == "throttling", "the profile")
        statuses = [self.esme.submit("628110000078", f"try {count}")[0] for count in range(60)]
        check(THROTTLED in statuses, str(statuses))

        def seen(where):
            hit = page.script("(() => { const box = document.querySelector('#heal').getBoundingClientRect();"
                              " return document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)?.id; })()")
            check(hit == "heal", f"{where}: the sign is covered by {hit}")

        for width, height in ((1280, 900), (360, 740)):
            page.look(width, height)
            for place in ("#/", "#/628110000078", "#/behavior"):
                self.open(page, place=place)
                page.until("!document.querySelector('#sick').hidden")
                page.until("document.querySelector('#sick').getBoundingClientRect().height > 0")
                page.script("scrollTo(0, 10000)")
                seen(f"{place} at {width}")
                no_overflow(page, f"{place} at {width}")
        page.click("#heal")
        for one in (page, other):
            one.until("document.querySelector('#sick').hidden")
            check(one.text("#behavior-name") in ("Healthy", ""), one.text("#behavior-name"))
        check(page.script("document.activeElement.id") == "behavior-title", page.script("document.activeElement.id"))
        check(all(self.esme.submit("628110000078", "well")[0] == 0 for _ in range(60)), "it is not healthy again")
        other.close()

    def test_a_conversation_shows_messages_both_ways_as_they_come(self, page):
        self.submit("628110000002", "first")
        self.open(page)
        self.conversation(page, "628110000002")
        check(page.text("#conversation-title") == "+628110000002", page.text("#conversation-title"))
        self.submit("628110000002", "second")
        self.submit("628110000003", "for somebody else")
        page.until(f"{bubbles()}.length === 2")
        check(page.script("document.querySelector('#reply-to').value") == "BANK", "the sender is not the recipient")
        page.fill("#reply-text", "STOP, please")
        page.key("Enter")
        page.until(f"{bubbles()}.length === 3")
        check("STOP, please" in page.text("#thread .message.sent"), page.text("#thread"))
        check(page.script("document.querySelector('#reply-text').value") == "", "the reply stays in its field")
        told = self.esme.originated.get(timeout=WAIT_SECONDS)
        check(told == ("628110000002", "BANK", "STOP, please"), str(told))
        page.until(f"{handset('628110000002')}.closest('.handset').innerText.includes('STOP, please')")

    def test_a_handset_without_a_message_can_write_first(self, page):
        self.open(page)
        page.fill("#search", "628110000004")
        page.until("!document.querySelector('#empty').hidden")
        page.click("#empty-write")
        page.fill("#reply-to", "2858")
        page.fill("#reply-text", "REG")
        page.click("#reply .primary")
        page.until(f"{bubbles()}.length === 1")
        told = self.esme.originated.get(timeout=WAIT_SECONDS)
        check(told == ("628110000004", "2858", "REG"), str(told))

    def test_details_tell_the_fields_in_words(self, page):
        message_id = self.submit("628110000005", "Halo \u20ac", coding=8, tlvs=MARK)
        self.open(page)
        self.conversation(page, "628110000005")
        self.details(page, "Halo")
        page.until("document.querySelector('#thread .receipts li').dataset.outcome === 'acknowledged'")
        facts = self.facts(page)
        check(facts["message_id"] == message_id, str(facts))
        check(facts["data_coding"] == "0x08 \u00b7 UCS-2", str(facts))
        check("TON 5 alphanumeric" in facts["source"] and "TON 1 international" in facts["destination"], str(facts))
        check(facts["validity_period"] == "000000000300000R", str(facts))
        check("receipt: success or failure" in facts["registered_delivery"], str(facts))
        check(facts["TLV 0x0204"] == "user_message_reference \u00b7 0007", str(facts))
        check(facts["TLV 0x1400"].startswith("vendor's \u00b7 000102"), str(facts))
        check(facts["characters"] == "6 in 1 segment", str(facts))
        check("Delivered" in page.text("#thread .details-state"), page.text("#thread .details-state"))
        check("Delivered acknowledged" in page.text("#thread .receipts").replace("\n", " "), page.text("#thread .receipts"))

    def test_details_of_a_long_message_name_its_segments(self, page):
        ids = [self.submit("628110000006", bytes([5, 0, 3, 77, 2, part]) + b"part %d. " % part,
                           esm_class=USER_DATA_HEADER) for part in (1, 2)]
        self.open(page)
        self.conversation(page, "628110000006")
        check("part 1. part 2." in page.text("#thread") and "2 segments" in page.text("#thread"), page.text("#thread"))
        self.details(page, "part 1")
        facts = self.facts(page)
        check([facts["segment 1"], facts["segment 2"]] == ids, f"{facts} {ids}")
        check("user data header" in facts["esm_class"], str(facts))

    def test_the_validity_counts_down(self, page):
        self.submit("628110000007", "three minutes")
        self.submit("628110000007", "for ever", validity="")
        self.submit("628110000007", "two seconds", validity="000000000002000R")
        self.open(page)
        self.conversation(page, "628110000007")
        self.details(page, "two seconds")
        page.until("document.querySelector('#thread .life-label').textContent.startsWith('Its validity ended')")
        page.script("document.querySelector('#wanted').removeAttribute('id')")
        self.details(page, "three minutes")
        left = page.until("document.querySelector('#thread .life-left').textContent")
        check(left.startswith("2:"), left)
        page.until(f"document.querySelector('#thread .life-left').textContent < {json.dumps(left)}")
        bar = page.script("document.querySelector('#thread .life-bar').value")
        page.until(f"document.querySelector('#thread .life-bar').value < {bar}")
        page.script("document.querySelector('#wanted').removeAttribute('id')")
        self.details(page, "for ever")
        check(page.script("document.querySelector('#thread .life').hidden"), "no validity, and yet a countdown")
        check(page.script("document.querySelectorAll('#thread .details').length") == 1, "two details are open")

    def test_a_profile_is_applied_and_seen_in_effect(self, page):
        self.open(page)
        check(page.text("#behavior-name") == "Healthy", page.text("#behavior-name"))
        page.click("#behavior-open")
        page.until("document.querySelector('#profile').options.length > 10")
        page.choose("#profile", "Throttling")
        check("ESME_RTHROTTLED" in page.script("document.querySelector('#behavior-text').value"), "the profile's text")
        check("ESME_RTHROTTLED" in page.text("#profile-description"), page.text("#profile-description"))
        check(page.text("#behavior-told") == "Not applied yet.", page.text("#behavior-told"))
        page.click("#behavior-form .primary")
        page.until("document.querySelector('#behavior-told').dataset.kind === 'good'")
        check(page.text("#behavior-name") == "Throttling", page.text("#behavior-name"))
        refused = int(page.text("#refused").replace(",", ""))
        statuses = [self.esme.submit("628110000008", f"try {count}")[0] for count in range(60)]
        check(THROTTLED in statuses and 0 in statuses, str(statuses))
        page.until(f"Number(document.querySelector('#refused').textContent.replace(/\\D/g, '')) > {refused}")
        other = self.browser.page()
        self.open(other)
        check(other.text("#behavior-name") == "Throttling", "another page does not know what is in use")
        other.close()
        page.choose("#profile", "Healthy")
        page.click("#behavior-form .primary")
        page.until("document.querySelector('#behavior-name').textContent === 'Healthy'")
        check(all(self.esme.submit("628110000008", "well")[0] == 0 for _ in range(60)), "it is not healthy again")

    def test_settings_of_ones_own_keep_their_comments(self, page):
        self.open(page)
        told = self.behave(page, "# only this one\n[[rule]]\nto = \"628110000009\"\nsubmit.status = \"ESME_RTHROTTLED\"\n")
        check("Applied at" in told, told)
        check(page.text("#behavior-name") == "Your own", page.text("#behavior-name"))
        check(self.esme.submit("628110000009", "no")[0] == THROTTLED, "the rule has no effect")
        check(self.esme.submit("628110000010", "yes")[0] == 0, "the rule has effect on others")
        self.open(page)
        page.click("#behavior-open")
        page.until("document.querySelector('#behavior-text').value.startsWith('# only this one')")
        check("Applied at" in self.behave(page, self.healthy(page)), page.text("#behavior-told"))

    def healthy(self, page):
        return page.script("fetch('/behavior/profiles').then((reply) => reply.json())"
                           ".then((all) => all.find((one) => one.name === 'healthy').toml)")

    def test_a_fault_is_told_with_its_line_and_column(self, page):
        self.open(page)
        told = self.behave(page, "seed = 1\n\n[submit]\nlatency = \"fast\"\n")
        check("Line 4, column 11" in told and "submit.latency" in told and "fast" in told, told)
        selected = page.script("(() => { const text = document.activeElement;"
                               " return text.value.slice(text.selectionStart, text.selectionEnd); })()")
        check(selected == "latency = \"fast\"", f"selected: {selected}")
        check(page.script("document.querySelector('#behavior-text').getAttribute('aria-invalid')") == "true", "not invalid")
        check(page.text("#behavior-name") == "Healthy", "a fault was applied")
        told = self.behave(page, "seed = 1\n" * 40 + "[[rule]\n")
        check("Line 2" in told or "Line 41" in told, told)
        page.click("#behavior-revert")
        page.until("document.querySelector('#behavior-told').textContent === 'This is in use.'")

    def test_a_reply_without_a_receiver_is_told_in_words(self, page):
        alone = Simulator(self.binary)
        try:
            transmitter = Esme(alone.ready, BIND_TRANSMITTER)
            transmitter.submit("628110000011", "one way")
            self.open(page, alone)
            self.conversation(page, "628110000011")
            page.fill("#reply-text", "anybody there?")
            page.click("#reply .primary")
            page.until("!document.querySelector('#reply-told').hidden")
            check("receive" in page.text("#reply-told").lower(), page.text("#reply-told"))
            check(page.script("document.querySelector('#reply-text').value") == "anybody there?", "the text is gone")
            check(page.script(f"{bubbles()}.length") == 1, "it looks as if it were sent")
            transmitter.close()
        finally:
            code = alone.stop()
        check(code == 0, f"the simulator ended with {code}")
        page.until("document.querySelector('#state').textContent === 'Reconnecting'")
        page.complaints.clear()  # The connection was refused, as it should be.

    def test_a_token_is_asked_for_and_opens_everything(self, page):
        guarded = Simulator(self.binary, "--token", TOKEN)
        try:
            esme = Esme(guarded.ready)
            esme.submit("628110000012", "behind a token")
            page.open(guarded.web + "/")
            page.until("document.activeElement.id === 'token'")
            check("behind a token" not in page.text("body"), "it is shown without a token")
            page.type("wrong")
            page.key("Enter")
            # The form that says so comes with the refusal; what is typed before it is there is lost.
            page.until("document.querySelector('#token-told').getClientRects().length > 0")
            page.until("document.activeElement.id === 'token'")
            check(page.script("document.querySelector('#token').value") == "", "the wrong token is still there")
            page.type(TOKEN)
            page.key("Enter")
            page.until("document.querySelector('#state').dataset.state === 'live'")
            self.conversation(page, "628110000012")
            self.details(page, "behind a token")
            check(page.text("#behavior-name") == "Healthy", page.text("#behavior-name"))
            esme.close()
        finally:
            guarded.stop()
        page.until("document.querySelector('#state').textContent === 'Reconnecting'")
        page.complaints.clear()

    def test_the_keyboard_is_enough(self, page):
        for number in ("628110000021", "628110000022", "628110000023"):
            self.submit(number, f"to {number}")
        self.submit("628110000023", "the last one")
        self.open(page)
        page.until(shown("628110000023"))

        def focused(wanted):
            return page.script(f"document.activeElement.matches({json.dumps(wanted)})")

        def tab_to(wanted):
            for _ in range(20):
                if focused(wanted):
                    return
                page.key("Tab")
                check(page.script("document.activeElement === document.body || "
                                  "[document.activeElement, document.activeElement.parentElement].some((node) =>"
                                  " getComputedStyle(node).outlineStyle !== 'none')"), "focus is not visible")
            raise AssertionError(f"Tab does not lead to {wanted}")

        page.type("/")
        check(focused("#search"), "a slash does not lead to the search")
        page.type("6281100000")
        page.until("document.querySelectorAll('#found-wall .handset').length > 2")
        tab_to(".handset-open[data-number='628110000023']")
        page.key("ArrowRight")
        check(focused("[data-number='628110000022']"), "the right arrow")
        page.key("End")
        page.key("Home")
        check(focused("[data-number='628110000023']"), "Home")
        page.key("Enter")
        page.until("document.activeElement.id === 'conversation-title'")
        page.until("document.querySelectorAll('#thread .message').length === 2")
        tab_to("#thread button.bubble")
        page.key("End")
        check("the last one" in page.script("document.activeElement.innerText"), "End")
        page.key("Enter")
        page.until("document.querySelector('#thread .facts dd')")
        check(page.script("document.activeElement.getAttribute('aria-expanded')") == "true", "aria-expanded")
        page.key("ArrowUp")
        check("to 628110000023" in page.script("document.activeElement.innerText"), "the up arrow")
        tab_to("#reply-text")
        page.type("typed")
        tab_to("#reply .primary")
        page.key("Enter")
        check(self.esme.originated.get(timeout=WAIT_SECONDS)[2] == "typed", "the reply")
        page.key("Escape")
        check(focused("[data-number='628110000023']"), "Escape does not lead back")
        page.key("Tab", shift=True)
        tab_to("#behavior-open")
        page.key("Enter")
        page.until("document.activeElement.id === 'behavior-title'")
        tab_to("#behavior-text")
        page.key("Enter", control=True)
        page.until("document.querySelector('#behavior-told').dataset.kind === 'good'")
        page.key("Escape")
        check(focused("#behavior-open"), "Escape does not lead back to the behaviour's button")

    def test_what_is_drawn_is_bounded(self, page):
        self.open(page)
        texts = [(f"62813{count % 150:08}", f"message {count}") for count in range(3_000)]
        texts += [("628140000000", f"of many {count}") for count in range(MESSAGES_MAX + 100)]
        self.submit_all(self.esme, texts)
        page.until(f"document.querySelector('#wall').innerText.includes('of many {MESSAGES_MAX + 99}')")
        self.conversation(page, "628140000000")
        page.until(f"document.querySelectorAll('#thread .message').length === {MESSAGES_MAX}")
        check("of many 100\n" in page.text("#thread") and "of many 99\n" not in page.text("#thread"), "the newest")
        self.submit("628140000000", "one more")
        page.until("document.querySelector('#thread').lastElementChild.innerText.includes('one more')")
        counts = page.script("['.handset', '.handset .bubble', '.message'].map("
                             "(one) => document.querySelectorAll(one).length)")
        check(counts[0] == HANDSETS_MAX and counts[1] <= HANDSETS_MAX * BUBBLES_MAX, str(counts))
        check(counts[2] == MESSAGES_MAX, str(counts))

    def test_it_can_be_read_at_every_width_in_light_and_dark(self, page):
        self.submit("628110000031", "A longer text, so that it goes over a line or two. Kode 482913.", tlvs=MARK)
        self.submit("628110000031", "\u0631\u0645\u0632\u0643 \u0647\u0648 482913", coding=8)
        for width, height, dark in ((1280, 900, False), (1280, 900, True), (360, 780, False), (360, 780, True)):
            name = f"handsets-{width}-{'dark' if dark else 'light'}"
            page.look(width, height, dark)
            self.open(page)

            def picture(state):
                page.screenshot(os.path.join(self.pictures, f"{name}-{state}.png"), whole=False)
                faint = page.script(CONTRAST)
                check(faint == [], f"{name} {state}: {faint}")
                no_overflow(page, f"{name} {state}")

            page.until(shown("628110000031"))
            page.until("document.querySelector('#accepted').textContent !== '0'")
            picture("1-wall")
            self.conversation(page, "628110000031")
            picture("2-conversation")
            self.details(page, "longer text")
            page.until("document.querySelector('#thread .receipts li').dataset.outcome === 'acknowledged'")
            picture("3-details")
            page.fill("#reply-text", "STOP")
            page.fill("#reply-to", "BANK" + "K" * 16)
            page.click("#conversation .close")
            self.behave(page, "[submit]\nlatency = \"" + "fast" * 40 + "\"\n")
            picture("4-fault")
            page.click("#behavior .close")
            page.fill("#search", "62899")
            page.until("!document.querySelector('#empty').hidden")
            picture("5-none")
            page.fill("#search", "628110000031")
            self.show_as(page, "list")
            page.until("document.querySelectorAll('#found-list .line').length > 1")
            picture("6-list")
            page.click(".profile[data-name='throttling']")
            page.until("!document.querySelector('#sick').hidden")
            page.click("#clear")
            picture("7-question")
            page.key("Escape")
            page.click("#found-list .line")
            page.until("document.querySelector('#thread .facts dd')")
            picture("8-sick")
            page.click("#heal")
            page.until("document.querySelector('#sick').hidden")
            page.key("Escape")
            self.show_as(page, "wall")
        page.look(320, 640)
        no_overflow(page, "320")

    def messages(self, page):
        """How many the simulator keeps."""
        return page.script("fetch('/counters').then((reply) => reply.json()).then(({inbox}) => inbox.messages)")

    def test_zy_clearing_is_asked_about_first(self, page):
        for number in ("628110000042", "628110000043", "628110000043"):
            self.submit(number, "to be kept")
        self.open(page)
        page.until("document.querySelector('#clear').ariaDisabled === 'false'")
        before = self.messages(page)
        kept = page.until("document.querySelector('#messages').textContent")
        page.script("document.querySelector('#clear').focus()")
        page.key("Enter")
        page.until("document.querySelector('#clear-dialog').open")
        said = page.text("#clear-dialog")
        check(f"{kept} messages on {page.text('#handsets')} handsets will be lost" in said, said)
        check(page.script("document.activeElement.id") == "clear-keep", "the safe answer has not the focus")
        page.key("Escape")
        page.until("!document.querySelector('#clear-dialog').open && document.activeElement.id === 'clear'")
        page.key("Enter")
        page.key("Enter")
        page.until("!document.querySelector('#clear-dialog').open && document.activeElement.id === 'clear'")
        # The page hears of things in their order: had it been cleared, it would know by the time it has this one.
        self.submit("628110000044", "after the question")
        page.until(shown("628110000044"))
        check(page.script(shown("628110000042")), "the wall is cleared without an answer")
        check(self.messages(page) == before + 1, "the inbox is cleared without an answer")

    def test_zz_clearing_empties_the_wall_and_the_conversation(self, page):
        """Last, since it takes everybody's messages."""
        self.submit("628110000041", "to be cleared")
        self.open(page)
        self.conversation(page, "628110000041")
        page.click("#clear")
        page.until("document.activeElement.id === 'clear-keep'")
        page.key("Tab")
        page.key("Enter")
        page.until("document.querySelectorAll('.handset').length === 0")
        page.until("document.querySelectorAll('.message').length === 0")
        page.until("document.activeElement.id === 'clear' && document.activeElement.ariaDisabled === 'true'")
        check(page.text("#messages") == "0" and page.text("#handsets") == "0", page.text(".counters"))
        check("No messages yet" in page.text("#empty"), page.text("#empty"))
        check("127.0.0.1" in page.text("#about-smpp"), page.text("#about"))
        self.submit("628110000041", "after it")
        page.until(shown("628110000041"))
        page.until("document.querySelectorAll('.message').length === 1")


def main(binary, chromium, pictures, *wanted):
    os.makedirs(pictures, exist_ok=True)
    started = time.monotonic()
    simulator, browser = Simulator(binary), None
    try:
        esme = Esme(simulator.ready)
        browser = Browser(chromium)
        tests = Tests(binary, simulator, esme, browser, pictures)
        names = [name for name in dir(tests) if name.startswith("test_") and (not wanted or name in wanted)]
        results = []
        for name in names:
            page = browser.page()
            test = partial(getattr(tests, name), page)
            results.append(passes(name, test, page, ("http://127.0.0.1:", "data:"), pictures, REFUSALS))
        esme.close()
    finally:
        if browser:
            browser.close()
        code = simulator.stop()
    results.append(code == 0)
    if code != 0:
        print(f"FAILED  the simulator ended with {code} on SIGTERM")
    return summary(results, started)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
