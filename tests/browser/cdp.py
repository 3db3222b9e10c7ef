"""Drives Chromium over its DevTools protocol, through a pipe: no package beside Python's own."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import threading

# A safety net round every wait; nothing waits that long when all is well.
WAIT_SECONDS = 45

CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",  # CI runs as root in a container; the pages are our own.
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-features=Translate,MediaRouter,OptimizationHints",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
]


class BrowserError(Exception):
    """The browser, or a script in a page, answered with an error."""


class Browser:
    """One headless Chromium with an empty profile of its own."""

    def __init__(self, executable):
        self._profile = tempfile.mkdtemp(prefix="browser-test-")
        to_browser_read, to_browser_write = os.pipe()
        from_browser_read, from_browser_write = os.pipe()
        # The protocol's pipe is file descriptors 3 and 4 of the browser.
        command = 'exec 3<&"$1" 4>&"$2"; shift 2; exec "$@"'
        arguments = [executable, *CHROMIUM_FLAGS, f"--user-data-dir={self._profile}", "about:blank"]
        self._process = subprocess.Popen(
            ["bash", "-c", command, "bash", str(to_browser_read), str(from_browser_write), *arguments],
            pass_fds=(to_browser_read, from_browser_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser_read)
        os.close(from_browser_write)
        self._out = os.fdopen(to_browser_write, "wb", buffering=0)
        self._in = os.fdopen(from_browser_read, "rb", buffering=0)
        self._lock = threading.Condition()
        self._replies = {}
        self._next_id = 0
        self._closed = False
        self._pages = {}
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        rest = b""
        while chunk := self._in.read(1 << 16):
            *messages, rest = (rest + chunk).split(b"\0")
            for message in map(json.loads, messages):
                with self._lock:
                    if "id" in message:
                        self._replies[message["id"]] = message
                    elif page := self._pages.get(message.get("sessionId")):
                        page.record(message["method"], message["params"])
                    self._lock.notify_all()
        with self._lock:
            self._closed = True
            self._lock.notify_all()

    def send(self, method, params=None, session=None):
        """Calls a method of the protocol and returns its result."""
        with self._lock:
            self._next_id += 1
            number = self._next_id
            message = {"id": number, "method": method, "params": params or {}}
            if session:
                message["sessionId"] = session
            try:
                self._out.write(json.dumps(message).encode() + b"\0")
            except OSError as error:
                raise BrowserError(f"{method}: the browser has gone") from error
            if not self._lock.wait_for(lambda: number in self._replies or self._closed, WAIT_SECONDS):
                raise BrowserError(f"{method}: no answer in {WAIT_SECONDS} s")
            reply = self._replies.pop(number, {"error": "the browser has gone"})
        if "error" in reply:
            raise BrowserError(f"{method}: {reply['error']}")
        return reply["result"]

    def page(self, width=1280, height=960, dark=False):
        """A new tab in a context of its own: its own storage, its own connections."""
        context = self.send("Target.createBrowserContext")["browserContextId"]
        target = self.send("Target.createTarget", {"url": "about:blank", "browserContextId": context})["targetId"]
        session = self.send("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        page = Page(self, session, target, context)
        with self._lock:
            self._pages[session] = page
        for domain in ("Page", "Runtime", "Network", "Log"):
            page.send(f"{domain}.enable")
        page.look(width, height, dark)
        return page

    def wait(self, condition, what):
        """Waits until a condition on recorded events holds."""
        with self._lock:
            if not self._lock.wait_for(condition, WAIT_SECONDS):
                raise BrowserError(f"waited {WAIT_SECONDS} s for {what}")

    def close(self):
        try:
            self.send("Browser.close")
        except BrowserError:
            self._process.kill()
        self._process.wait(WAIT_SECONDS)
        shutil.rmtree(self._profile, ignore_errors=True)


# Resolves when the expression turns true: looks at every change of the page, and at every frame
# for what is no change of the document (focus, scrolling).
WAIT_FOR = """
new Promise((resolve, reject) => {
  const deadline = performance.now() + %d * 1000;
  const look = () => {
    let value;
    try { value = (%s); } catch (error) { return reject(error); }
    if (value) return resolve(value);
    if (performance.now() > deadline) return reject(new Error("timeout"));
    setTimeout(look, 16);
  };
  look();
})
"""

KEYS = {
    "Enter": {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"},
    "Tab": {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9},
    "Escape": {"key": "Escape", "code": "Escape", "windowsVirtualKeyCode": 27},
    "Home": {"key": "Home", "code": "Home", "windowsVirtualKeyCode": 36},
    "End": {"key": "End", "code": "End", "windowsVirtualKeyCode": 35},
    "ArrowUp": {"key": "ArrowUp", "code": "ArrowUp", "windowsVirtualKeyCode": 38},
    "ArrowDown": {"key": "ArrowDown", "code": "ArrowDown", "windowsVirtualKeyCode": 40},
    "ArrowRight": {"key": "ArrowRight", "code": "ArrowRight", "windowsVirtualKeyCode": 39},
    "Backspace": {"key": "Backspace", "code": "Backspace", "windowsVirtualKeyCode": 8},
    "Space": {"key": " ", "code": "Space", "windowsVirtualKeyCode": 32, "text": " "},
}


class Page:
    """One tab."""

    def __init__(self, browser, session, target, context):
        self._browser = browser
        self._session = session
        self._target = target
        self._context = context
        self._loads = 0
        self.complaints = []
        self.requests = []

    def record(self, method, params):
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Page.loadEventFired":
            self._loads += 1
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(params["exceptionDetails"]["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.complaints.append(str(params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")

    def send(self, method, params=None):
        return self._browser.send(method, params, self._session)

    def look(self, width, height, dark=False):
        """Sets the window's size and the colour scheme that the user prefers."""
        self.send("Emulation.setDeviceMetricsOverride",
                  {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        calm = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.send("Emulation.setEmulatedMedia", {"features": [scheme, calm]})

    def grant(self, *permissions):
        """Lets the pages of this tab do what a browser asks its user about."""
        self._browser.send("Browser.grantPermissions",
                           {"permissions": permissions, "browserContextId": self._context})

    def open(self, url):
        loads = self._loads
        self.send("Page.navigate", {"url": url})
        self._browser.wait(lambda: self._loads > loads, f"{url} to load")

    def script(self, expression):
        """The value of an expression in the page; a promise is awaited."""
        result = self.send("Runtime.evaluate",
                           {"expression": expression, "awaitPromise": True, "returnByValue": True})
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise BrowserError(f"{expression}: {details.get('exception', {}).get('description', details['text'])}")
        return result["result"].get("value")

    def until(self, expression):
        """Waits until an expression in the page is true, and returns it."""
        return self.script(WAIT_FOR % (WAIT_SECONDS, expression))

    def text(self, selector):
        """What a person reads there: nothing where it is not shown."""
        return self.script(f"document.querySelector({json.dumps(selector)}).innerText")

    def click(self, selector):
        """Scrolls there, waits until it can be pressed, and presses with the mouse."""
        at = self.until(f"""(() => {{
            const node = document.querySelector({json.dumps(selector)});
            if (!node || node.disabled || node.getClientRects().length === 0) return null;
            node.scrollIntoView({{block: "center", inline: "nearest"}});
            const box = node.getBoundingClientRect();
            const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
            const hit = document.elementFromPoint(x, y);
            return hit === node || node.contains(hit) ? [x, y] : null;
        }})()""")
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent",
                      {"type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1})

    def key(self, name, shift=False, control=False):
        modifiers = {"modifiers": 8 * shift + 2 * control}
        self.send("Input.dispatchKeyEvent", {"type": "keyDown", **KEYS[name], **modifiers})
        self.send("Input.dispatchKeyEvent", {"type": "keyUp", **KEYS[name], **modifiers})

    def type(self, text):
        """Types into what has the focus."""
        for character in text:
            self.send("Input.dispatchKeyEvent", {"type": "keyDown", "text": character, "key": character})
            self.send("Input.dispatchKeyEvent", {"type": "keyUp", "key": character})

    def fill(self, selector, text):
        """Replaces what a field holds, by typing."""
        self.click(selector)
        self.script(f"document.querySelector({json.dumps(selector)}).select()")
        self.type(text)

    def choose(self, selector, label):
        """Chooses an option by the text it begins with, as a person's choice is told to the page."""
        self.script(f"""(() => {{
            const select = document.querySelector({json.dumps(selector)});
            select.selectedIndex = [...select.options].findIndex((one) => one.text.startsWith({json.dumps(label)}));
            if (select.selectedIndex < 0) throw new Error("no such option");
            select.dispatchEvent(new Event("change", {{bubbles: true}}));
        }})()""")

    def screenshot(self, path, whole=True):
        if whole:
            size = self.send("Page.getLayoutMetrics")["cssContentSize"]
            clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
            image = self.send("Page.captureScreenshot",
                              {"clip": clip, "captureBeyondViewport": True, "optimizeForSpeed": True})
        else:
            image = self.send("Page.captureScreenshot")
        with open(path, "wb") as file:
            file.write(base64.b64decode(image["data"]))

    def close(self):
        self._browser.send("Target.closeTarget", {"targetId": self._target})
        self._browser.send("Target.disposeBrowserContext", {"browserContextId": self._context})
