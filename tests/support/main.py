#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Builds and runs the tests. Without words: everything that CI runs. Otherwise parts, and names of tests in them:

    tests/run                      all of it
    tests/run unit                 unit tests of every module, with the address and undefined sanitizers
    tests/run e2e fault            parts: check unit tsan fuzz pg kafka sim e2e fault asan-e2e tsan-e2e compilers bench
    tests/run e2e kill             one file (tests/e2e/test_kill.py), or one test by its name
    tests/run long                 the full counts: hours
    tests/run --list               the names of the tests that are Python functions

The last line is `N passed, N failed, N skipped`. Builds go to build/<preset>; OF_BUILD=DIR makes the parts pg, kafka, sim, e2e
and fault use programs that are built already. The machine must be a Debian 12; see README.md.
"""
import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from procs import Sandbox, handle_signals  # noqa: E402
from runner import known_failures  # noqa: E402
from servers import Kafka, Postgres  # noqa: E402

REPO = os.path.dirname(os.path.dirname(HERE))
JOBS = str(os.cpu_count() or 2)
PYTHON_PARTS = ("sim", "pg", "kafka", "e2e", "fault")
ALL = ("check", "unit", "fuzz", "compilers", "tsan", "sim", "pg", "kafka", "e2e", "fault", "asan-e2e", "tsan-e2e")
# the e2e build: optimized as deployed, with the failpoints that the kill tests need
BUILDS = {
    "asan": ("asan", []), "tsan": ("tsan", []), "clang-dev": ("clang-dev", []), "release": ("release", []),
    "e2e": ("release", ["-DOF_FAILPOINTS=ON"]),
}
SANITIZED_E2E = ["mirror.small"]


class Totals:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []

    def add(self, passed, failed, skipped, what=None):
        self.passed, self.failed, self.skipped = self.passed + passed, self.failed + failed, self.skipped + skipped
        if failed and what:
            self.failures.append(what)


def say(text):
    print(text, flush=True)


def command(argv, log=None, env=None):
    """Runs it; its exit code. Output goes to `log` when given, else to ours."""
    if log is None:
        return subprocess.run(argv, cwd=REPO, stdin=subprocess.DEVNULL, env=env, check=False).returncode
    with open(log, "ab") as out:
        return subprocess.run(argv, cwd=REPO, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env,
                              check=False).returncode


class Session:
    def __init__(self, totals, long):
        self.totals, self.long = totals, long
        self.work = tempfile.mkdtemp(prefix="openfaith-tests-")
        self.built = {}

    def build(self, name, targets=()):
        """Configures and builds; the directory, or None when that failed (which counts as a failed test)."""
        key = (name, tuple(targets))
        if key in self.built:
            return self.built[key]
        preset, options = BUILDS[name]
        directory = os.path.join(REPO, "build", name)
        log = os.path.join(self.work, f"build-{name}.log")
        begin = time.monotonic()
        say(f"== building {name}")
        # reconfigured with --fresh only when cmake itself refuses: an incremental build is what a developer has
        code = command(["cmake", "--preset", preset, "-B", directory, *options], log)
        if code == 0:
            code = command(["cmake", "--build", directory, "-j", JOBS,
                            *(["--target", *targets] if targets else [])], log)
        seconds = time.monotonic() - begin
        if code != 0:
            say(f"build {name}: failed after {seconds:.0f} s")
            with open(log, encoding="utf-8", errors="replace") as text:
                say("".join("    | " + line for line in text.readlines()[-60:]))
            self.totals.add(0, 1, 0, f"build {name}")
            directory = None
        else:
            say(f"build {name}: {seconds:.0f} s")
            self.totals.add(1, 0, 0)
        self.built[key] = directory
        return directory

    def check(self, names):
        for path in sorted(glob.glob(os.path.join(REPO, "tools", "check-*"))):
            name = os.path.basename(path)
            if names and name not in names:
                continue
            begin = time.monotonic()
            code = command([path])
            say(f"check/{name} {'passed' if code == 0 else 'FAILED'} {time.monotonic() - begin:.1f} s")
            self.totals.add(code == 0, code != 0, 0, f"check/{name}")

    def ctest_with_servers(self, build, label, names):
        """C tests that need real servers find their addresses in the environment."""
        directory = self.build(build)
        if directory is None:
            return
        listed = subprocess.run(["ctest", "--test-dir", directory, "-N", "-L", f"^{label}$"], stdout=subprocess.PIPE,
                                stdin=subprocess.DEVNULL, text=True, check=False).stdout
        if "Total Tests: 0" in listed:
            return
        with Sandbox(f"openfaith-{label}") as box:
            postgres = Postgres(box).start()
            env = {"OF_TEST_DATABASE_URL": postgres.url(postgres.create_database())}
            if label == "kafka":
                self.ctest(build, label, names)  # with librdkafka's in-process broker
                env["OF_TEST_BROKERS"] = Kafka(box).start().brokers
            self.ctest(build, label, names, env, jobs="1")  # they share a database

    def sim_selftest(self):
        program = os.path.join(REPO, "tests", "sim", "pco", "selftest.py")
        directory = os.environ.get("OF_BUILD") or self.build("asan")
        if directory is None or not os.path.exists(program):
            return
        say("== the simulator's own tests")
        done = subprocess.run([sys.executable, program, os.path.join(directory, "bin", "pco-sim")], cwd=REPO,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
        found = re.findall(r"(\d+) passed, (\d+) failed", done.stdout)
        passed, failed = (int(found[-1][0]), int(found[-1][1])) if found else (0, 1)
        if done.returncode != 0:
            failed = max(failed, 1)
            say(done.stdout[-5000:])
        say(f"sim/selftest: {passed} of {passed + failed} passed")
        self.totals.add(passed, failed, 0, "sim/selftest")

    def ctest(self, build, label, names, more_env=None, jobs=JOBS):
        directory = self.build(build)
        if directory is None:
            return
        junit = os.path.join(self.work, f"ctest-{build}-{label}.xml")
        argv = ["ctest", "--test-dir", directory, "-L", f"^{label}$", "--output-on-failure", "-j", jobs,
                "--no-tests=ignore", "--output-junit", junit]
        if names:
            argv += ["-R", "|".join(names)]
        env = {**os.environ, **(more_env or {})}
        env.setdefault("ASAN_OPTIONS", "detect_leaks=1")
        env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
        env.setdefault("TSAN_OPTIONS", "halt_on_error=1:second_deadlock_stack=1")
        say(f"== {label} tests ({build})")
        code = command(argv, env=env)
        passed = failed = skipped = 0
        if os.path.exists(junit):
            suite = ElementTree.parse(junit).getroot()
            failed = int(suite.get("failures", 0))
            skipped = int(suite.get("skipped", 0)) + int(suite.get("disabled", 0))
            passed = int(suite.get("tests", 0)) - failed - skipped
        if code != 0 and failed == 0:
            failed = 1
        self.totals.add(passed, failed, skipped, f"{label} ({build})")

    def python(self, part, names, build="e2e", what=None, env=None):
        if not glob.glob(os.path.join(REPO, "tests", part, "test_*.py")):
            return
        directory = os.environ.get("OF_BUILD") or self.build(build)
        if directory is None:
            return
        results = os.path.join(self.work, f"results-{what or part}")
        argv = [sys.executable, os.path.join(HERE, "runner.py"), "--results", results,
                "--at-once", os.environ.get("OF_TEST_AT_ONCE", "2"), *(["--retries", "1"] if os.environ.get("CI") == "true" else []),
                part, *names]
        if self.long:
            argv.append("--long")
        say(f"== {what or part} tests")
        full = {**os.environ, "OF_BUILD": directory, "PYTHONDONTWRITEBYTECODE": "1", **(env or {})}
        if self.long:
            full["OF_TEST_LONG"] = "1"
        code = command(argv, env=full)
        passed = failed = skipped = 0
        if os.path.exists(results):
            with open(results, encoding="ascii") as lines:
                passed, failed, skipped = (int(word) for word in lines.read().split())
        if code != 0 and failed == 0 and (passed + skipped or not names):
            failed = 1
        self.totals.add(passed, failed, skipped, what or part)

    def bench(self, names):
        directory = self.build("release")
        program = os.path.join(REPO, "tests", "bench", "run")
        if directory is None or not os.path.exists(program):
            return
        code = command([program, *names], env={**os.environ, "OF_BUILD": directory})
        self.totals.add(code == 0, code != 0, 0, "bench")

    def run(self, part, names):
        if part == "check":
            self.check(names)
        elif part == "unit":
            self.ctest("asan", "unit", names)
        elif part == "fuzz":
            self.ctest("asan", "fuzz", names)
        elif part == "tsan":
            self.ctest("tsan", "unit", names)
        elif part == "compilers":
            self.build("clang-dev")
        elif part in PYTHON_PARTS:
            self.python(part, names)
            if part in ("pg", "kafka") and not os.environ.get("OF_BUILD"):
                self.ctest_with_servers("asan", part, names)
            if part == "sim" and not names:
                self.sim_selftest()
        elif part in ("asan-e2e", "tsan-e2e"):
            build = part.split("-", maxsplit=1)[0]
            # a sanitizer makes everything two to ten times slower
            self.python("e2e", names or SANITIZED_E2E, build, part, {"OF_TEST_TIME_SCALE": "4"})
        elif part == "bench":
            self.bench(names)


def main():
    parser = argparse.ArgumentParser(prog="tests/run", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="names of the Python tests")
    parser.add_argument("words", nargs="*", metavar="PART|NAME")
    args = parser.parse_args()
    if args.list:
        return command([sys.executable, os.path.join(HERE, "runner.py"), "--list"])
    known = ALL + ("bench", "long")
    parts = [word for word in args.words if word in known]
    names = [word for word in args.words if word not in known]
    long = "long" in parts
    parts = [part for part in parts if part != "long"]
    if names and not parts:
        parts = ["e2e"]
    parts = parts or list(ALL)
    totals, begin = Totals(), time.monotonic()
    handle_signals()
    session = Session(totals, long)
    try:
        for part in parts:
            session.run(part, names)
    finally:
        shutil.rmtree(session.work, ignore_errors=True)
    for failure in totals.failures:
        say(f"FAILED: {failure}")
    known = len(known_failures())
    if os.environ.get("CI") == "true" and totals.skipped > known:
        say(f"FAILED: {totals.skipped} skipped, but only {known} known failures are listed")
        totals.failed += 1
    say(f"all done in {(time.monotonic() - begin) / 60:.1f} min")
    say(f"{totals.passed} passed, {totals.failed} failed, {totals.skipped} skipped")
    return 0 if totals.failed == 0 and totals.passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
