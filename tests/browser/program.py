"""A program under test: started, ready, and stopped as a service manager does."""
import json
import signal
import subprocess

from cdp import WAIT_SECONDS


class Program:
    """One process, which says in a line of JSON where it is."""

    def __init__(self, *command):
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{command[0]} did not start")
        self.ready = json.loads(line)

    def stop(self):
        """Ends it; returns its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(WAIT_SECONDS)
