"""Runs every conversation and counts them: interop.py BIN_DIR CAPTURES_DIR [NAME…], each NAME as unittest writes it."""

import pathlib
import shutil
import sys
import tempfile
import unittest

import house

# Captures are looked at when all that is captured has been said.
SUITES = ["test_clients", "test_servers", "test_kannel", "test_captures"]


def main():
    binaries, captures, *names = sys.argv[1:]
    house.Settings.binaries = pathlib.Path(binaries)
    house.Settings.captures = pathlib.Path(captures)
    shutil.rmtree(captures, ignore_errors=True)
    house.Settings.captures.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        house.make_certificates(pathlib.Path(folder))
        result = run(names or SUITES)
    # A test with several subtests can fail several times.
    failed = len({test.id().split(" ")[0] for test, _ in result.failures + result.errors})
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)


def run(names):
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    try:
        return unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    finally:
        for program in list(house.Program.running):
            program.end()


if __name__ == "__main__":
    main()
