"""The line from the page to the bank, on which answers are lost, late, or not what they were."""

from contextlib import contextmanager

# The bank gets the confirmation, and its answer does not arrive.
CONFIRM_LOST = "path.endsWith('/confirm') ? go().then(() => Promise.reject(new Error('lost')))"


def lost(what):
    """A call of which `what`, in JavaScript, is true does not reach the bank."""
    return f"{what} ? Promise.reject(new Error('lost'))"


def kept_as(members):
    """The bank's look at a payment has these `members`; `window.looks` counts the looks."""
    return (r"method === 'GET' && /\/payments\/\w+$/.test(path) ? go().then((reply) => reply.json()).then((payment) => {"
            f" window.looks = (window.looks ?? 0) + 1; return Response.json({{ ...payment, {members} }}); }})")


@contextmanager
def line(page, *rules):
    """What the page asks goes through the first of the `rules` that fits, on every page that is opened meanwhile."""
    how = " : ".join([*rules, "go()"])
    source = f"""window.honestFetch = window.fetch;
        window.fetch = (path, {{ method = 'GET', signal, ...rest }} = {{}}) => {{
            const go = () => honestFetch(path, {{ method, signal, ...rest }});
            return {how};
        }}; null"""
    script = page.send("Page.addScriptToEvaluateOnNewDocument", {"source": source})["identifier"]
    page.script(source)
    try:
        yield
    finally:
        page.send("Page.removeScriptToEvaluateOnNewDocument", {"identifier": script})
        page.script("window.fetch = window.honestFetch; null")
