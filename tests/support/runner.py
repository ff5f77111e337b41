# SPDX-License-Identifier: Apache-2.0
"""Finds and runs the Python tests: functions marked @test in tests/<part>/test_*.py, each in a process of its own.

    runner.py [--list] [--long] [--results FILE] PART... [NAME...]

A test passes when it returns, fails when it raises or does not end in time, and is skipped by raising Skip. What it started
dies with its process. NAME selects tests whose name, or `file` or `file.name`, is equal. --retries N: a failed test is run again, and
one that passes then is said to be FLAKY. --at-once N: so many tests beside each other. A test listed in tests/known_failures counts as skipped when it fails.
"""
import argparse
import atexit
import concurrent.futures
import glob
import importlib.util
import os
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path.insert(0, HERE)

from procs import Skip, handle_signals  # noqa: E402

SKIPPED = 77
PARTS = ("pg", "kafka", "e2e", "fault", "sim")
_REGISTERED = []


def test(timeout=120, long=False):
    """Marks a test. `timeout` in seconds; long=True: only run when long tests are asked for."""
    def mark(function):
        function.of_test = {"timeout": timeout, "long": long}
        _REGISTERED.append(function)
        return function
    return mark


def load(path):
    """The tests of a file, in its order."""
    sys.modules.setdefault("runner", sys.modules[__name__])
    sys.path.insert(0, os.path.dirname(path))
    del sys.modules["runner"]._REGISTERED[:]
    spec = importlib.util.spec_from_file_location(os.path.basename(path)[:-3], path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(sys.modules["runner"]._REGISTERED)


def discover(parts):
    for part in parts:
        for path in sorted(glob.glob(os.path.join(TESTS, part, "test_*.py"))):
            stem = os.path.basename(path)[5:-3]
            for function in load(path):
                yield part, stem, path, function.__name__, function.of_test


def run_one(path, name):
    """The child: runs one test."""
    handle_signals()
    for function in load(path):
        if function.__name__ == name:
            try:
                function()
            except Skip as reason:
                print(f"skipped: {reason}")
                return SKIPPED
            except AssertionError as failure:
                import traceback
                traceback.print_exc()
                print(f"failed: {str(failure)[:20000]}")
                return 1
            return 0
    print(f"{path} has no test {name}")
    return 1


def end(child):
    child.send_signal(signal.SIGTERM)
    try:
        child.wait(20)
    except subprocess.TimeoutExpired:
        pass
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.wait()


def known_failures():
    """name -> why, from lines `part/file.name: why`."""
    path = os.path.join(TESTS, "known_failures")
    out = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                name, _, why = line.partition(":")
                if name.strip() and not line.startswith("#"):
                    out[name.strip()] = why.strip()
    return out


def attempt(path, name, seconds, verbose):
    """Runs one test in a process of its own: (exit code, output)."""
    child = subprocess.Popen(
        [sys.executable, os.path.abspath(__file__), "--one", path, name], stdin=subprocess.DEVNULL,
        stdout=None if verbose else subprocess.PIPE, stderr=None if verbose else subprocess.STDOUT,
        start_new_session=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    children.add(child)
    try:
        output, _ = child.communicate(timeout=seconds)
        return child.returncode, (output or b"").decode(errors="replace")
    except subprocess.TimeoutExpired:
        end(child)
        output, _ = child.communicate()
        return 1, (output or b"").decode(errors="replace") + f"\nfailed: not done within {seconds:g} s\n"
    except BaseException:
        end(child)
        raise
    finally:
        children.discard(child)


children = set()  # tests at work, from any thread
ALONE = ("budget", "tenants")  # they measure time


def end_all():
    for child in list(children):
        end(child)


def run_one_of_many(job, seconds, verbose):
    """(word, seconds taken, reason, output)"""
    begin = time.monotonic()
    code, text = attempt(job["path"], job["name"], seconds, verbose)
    word = {0: "passed", SKIPPED: "skipped"}.get(code, "failed")
    reason = text.strip().splitlines()[-1] if word == "skipped" and text.strip() else ""
    return word, time.monotonic() - begin, reason, text


def say_result(full, result):
    word, taken, reason, text = result
    print(f"{full} ... {word} {taken:.1f} s {reason}", flush=True)
    if word == "failed":
        print("    | " + text[-30000:].replace("\n", "\n    | "), flush=True)


def run(parts, names, long, results, verbose, retries, at_once):
    """Tests run `at_once` beside each other; those that measure time run alone, after them, and so do second tries."""
    known, flaky = known_failures(), []
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    scale = float(os.environ.get("OF_TEST_TIME_SCALE", "1"))
    failed, jobs, words = [], [], {}
    handle_signals()
    atexit.register(end_all)
    for part, stem, path, name, options in discover(parts):
        full = f"{part}/{stem}.{name}"
        if names and not {name, stem, f"{stem}.{name}", full, f"test_{stem}.py"} & set(names):
            continue
        if options["long"] and not long and not names:
            continue
        jobs.append({"full": full, "path": path, "name": name, "seconds": options["timeout"] * scale, "alone": stem in ALONE})
    beside = [job for job in jobs if not job["alone"] and at_once > 1]
    with concurrent.futures.ThreadPoolExecutor(max(at_once, 1)) as pool:
        started = {pool.submit(run_one_of_many, job, job["seconds"] * 1.5, verbose): job for job in beside}
        try:
            for done in concurrent.futures.as_completed(started):
                job = started[done]
                words[job["full"]] = done.result()[0]
                say_result(job["full"], done.result())
        except BaseException:  # asked to end: nothing more begins, what runs is ended
            for future in started:
                future.cancel()
            end_all()
            raise
    for job in jobs:
        tries = retries + 1
        if job["full"] in words:
            tries = retries if words[job["full"]] == "failed" else 0
        for _ in range(tries):
            again = job["full"] in words
            result = run_one_of_many(job, job["seconds"], verbose)
            words[job["full"]] = result[0]
            say_result(job["full"], result)
            if result[0] != "failed":
                if again:
                    flaky.append(job["full"])
                break
    for job in jobs:
        full, word = job["full"], words[job["full"]]
        if word == "failed" and full in known:
            print(f"{full}: known: {known[full]}", flush=True)
            word = "skipped"
        counts[word] += 1
        if word == "failed":
            failed.append(full)
        elif word == "passed" and full in known:
            print(f"{full}: passes now, strike it from tests/known_failures", flush=True)
    if results:
        with open(results, "a", encoding="ascii") as out:
            out.write(f"{counts['passed']} {counts['failed']} {counts['skipped']}\n")
    for name in flaky:
        print(f"FLAKY {name}")
    for name in failed:
        print(f"FAILED {name}")
    if not results:
        print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 0 if counts["failed"] == 0 and sum(counts.values()) > 0 else 1


def main():
    if sys.argv[1:2] == ["--one"]:
        return run_one(sys.argv[2], sys.argv[3])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--verbose", "-v", action="store_true", help="show the tests' output as it comes")
    parser.add_argument("--retries", type=int, default=0, help="run a failed test again, at most so often")
    parser.add_argument("--results", help="append 'passed failed skipped' to this file")
    parser.add_argument("words", nargs="*")
    parser.add_argument("--at-once", type=int, default=1, help="so many tests beside each other")
    args = parser.parse_args()
    parts = [word for word in args.words if word in PARTS] or list(PARTS)
    names = [word for word in args.words if word not in PARTS]
    if args.list:
        for part, stem, _, name, options in discover(parts):
            print(f"{part}/{stem}.{name}{' (long)' if options['long'] else ''}")
        return 0
    return run(parts, names, args.long, args.results, args.verbose, args.retries, 1 if args.verbose else args.at_once)


if __name__ == "__main__":
    sys.exit(main())
