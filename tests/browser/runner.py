"""Runs the tests of a page one by one, and says how they went."""
import os
import time
import traceback

from page_checks import check


def passes(name, test, page, ours, pictures, expected=()):
    """Runs `test` and closes `page`. It passes if the page asked nobody but `ours`, too, and the console has no
    line but those with one of the `expected` words."""
    started = time.monotonic()
    try:
        test()
        foreign = [url for url in page.requests if not url.startswith(ours)]
        check(foreign == [], f"requests to others: {foreign}")
        complaints = [one for one in page.complaints if not any(words in one for words in expected)]
        check(complaints == [], f"the console says: {complaints}")
        print(f"ok     {time.monotonic() - started:5.1f} s  {name}", flush=True)
        return True
    except Exception:  # Any failure of a test is printed, and the next one runs.
        print(f"FAILED {time.monotonic() - started:5.1f} s  {name}", flush=True)
        traceback.print_exc()
        page.screenshot(os.path.join(pictures, f"failed-{name}.png"))
        return False
    finally:
        page.close()


def summary(results, started):
    """Prints how many passed; returns the exit code."""
    print(f"after {time.monotonic() - started:.0f} s:")
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1
