"""What the peers in Python share: a command per line of stdin, an answer or an event per line of stdout."""

import json
import re
import sys

RECEIPT = re.compile(
    r"^id:(?P<id>\S+) sub:(?P<sub>\d{3}) dlvrd:(?P<dlvrd>\d{3}) submit date:(?P<submitted>\d{10})"
    r" done date:(?P<done>\d{10}) stat:(?P<stat>[A-Z]{7}) err:(?P<err>\d{3}) text:", re.IGNORECASE)


def say(message):
    """Writes one line of JSON."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def commands(lines):
    """The commands on stdin, until it is closed: the verb, and its arguments."""
    for line in lines:
        command = json.loads(line)
        yield command.pop("do"), command


def failure(error):
    """An answer that says what went wrong."""
    return {"error": f"{type(error).__name__}: {error}"}


def parse_receipt(text):
    """What the text of a receipt says, for a library that leaves it as it is."""
    found = RECEIPT.match(text)
    if not found:
        raise ValueError("a receipt in another form than that of SMPP 3.4, appendix B")
    return found.groupdict()
