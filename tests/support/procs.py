# SPDX-License-Identifier: Apache-2.0
"""Starts processes in a private directory and makes sure that none of them outlives the run.

Every process is a group leader, dies with us (PR_SET_PDEATHSIG) and writes one log file per start. A Sandbox is the
directory of one test or demo: it is removed at the end, unless something failed or `keep` was asked for.
"""
import atexit
import concurrent.futures
import ctypes
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_LIBC = ctypes.CDLL("libc.so.6", use_errno=True)
_PR_SET_PDEATHSIG = 1
# The parent-death signal follows the thread that forked, so one thread that lives as long as we do forks everything.
_SPAWNER = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawn")
_SANDBOXES = []
SANITIZER_MARKS = re.compile(
    r"ERROR: AddressSanitizer|ERROR: LeakSanitizer|runtime error:|WARNING: ThreadSanitizer|AddressSanitizer:DEADLYSIGNAL")


class HarnessError(Exception):
    """The test's surroundings failed, or a deadline passed."""


class Skip(Exception):
    """A peer that the test needs cannot be had; the reason is the text."""


def build_dir():
    path = os.environ.get("OF_BUILD", "build/dev")
    return path if os.path.isabs(path) else os.path.join(REPO, path)


def program(name):
    path = os.path.join(build_dir(), "bin", name)
    if not os.access(path, os.X_OK):
        raise HarnessError(f"{path} is not built (cmake --preset dev && cmake --build --preset dev)")
    return path


def server_user():
    """Servers refuse root: as root they run as this user (name, uid, gid), else as ourselves (None)."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
            return (name, entry.pw_uid, entry.pw_gid)
        except KeyError:
            continue
    raise HarnessError("there is neither a user postgres nor nobody to run servers as")


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_until(check, timeout, what, interval=0.05):
    """Calls check() until it gives something true, which is returned; HarnessError at the deadline."""
    deadline = time.monotonic() + timeout
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise HarnessError(f"{what}: not within {timeout:g} s")
        time.sleep(interval)


def _die_with_parent(death_signal):
    def run():
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    return run


class Proc:
    """One process, restartable. `death_signal` is what it gets when we die; `stop_signal` how it is asked to end."""

    def __init__(self, box, name, argv, env=None, as_server=False, stop_signal=signal.SIGTERM,
                 death_signal=signal.SIGKILL, cwd=None):
        self.box, self.name, self.argv, self.env = box, name, list(argv), dict(env or {})
        self.as_server, self.stop_signal, self.death_signal, self.cwd = as_server, stop_signal, death_signal, cwd
        self.popen, self.logs, self.killed = None, [], False
        box.procs.append(self)

    def start(self):
        if self.alive():
            raise HarnessError(f"{self.name} runs already")
        log_path = os.path.join(self.box.logs, f"{self.name}.{len(self.logs)}.log")
        self.logs.append(log_path)
        self.killed = False
        env = {k: v for k, v in os.environ.items() if not k.startswith("OF_")}
        env.update(self.env)
        user = server_user() if self.as_server else None
        extra = {"user": user[1], "group": user[2], "extra_groups": []} if user else {}

        def spawn():
            with open(log_path, "ab") as log:
                return subprocess.Popen(
                    self.argv, env=env, cwd=self.cwd or self.box.path, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    start_new_session=True, close_fds=True, preexec_fn=_die_with_parent(self.death_signal), **extra)
        self.popen = _SPAWNER.submit(spawn).result()
        return self

    @property
    def pid(self):
        return self.popen.pid

    @property
    def log_path(self):
        return self.logs[-1]

    def alive(self):
        return self.popen is not None and self.popen.poll() is None

    def send(self, signo):
        if self.alive():
            os.kill(self.pid, signo)

    def kill9(self):
        """kill -9 of the process and all its children, and wait for its end."""
        if self.popen is None:
            return
        self.killed = True
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.popen.wait()

    def pause(self):
        self.send(signal.SIGSTOP)

    def resume(self):
        self.send(signal.SIGCONT)

    def wait(self, timeout):
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise HarnessError(f"{self.name} (pid {self.pid}) did not end within {timeout:g} s") from None

    def stop(self, timeout=30):
        """Asks it to end; its exit code. Kills it (and fails) when it does not end in time."""
        if self.popen is None:
            return None
        if self.alive():
            self.send(signal.SIGCONT)
            self.send(self.stop_signal)
            try:
                self.popen.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill9()
                raise HarnessError(f"{self.name} did not end within {timeout:g} s after its stop signal") from None
        return self.popen.returncode

    def log_text(self, all_starts=False):
        paths = self.logs if all_starts else self.logs[-1:]
        text = []
        for path in paths:
            with open(path, "r", encoding="utf-8", errors="replace") as log:
                text.append(log.read())
        return "".join(text)

    def wait_log(self, pattern, timeout):
        """The match of a pattern in the log of the present start."""
        regex = re.compile(pattern)

        def look():
            match = regex.search(self.log_text())
            if match:
                return match
            if not self.alive():
                raise HarnessError(f"{self.name} ended ({self.popen.returncode}) before its log said {pattern!r}:\n"
                                   + tail(self.log_path, 30))
            return None
        return wait_until(look, timeout, f"{self.name}: log line {pattern!r}")

    def sanitizer_report(self):
        """Text of a sanitizer's finding in any of the logs, or None."""
        for path in self.logs:
            with open(path, "r", encoding="utf-8", errors="replace") as log:
                text = log.read()
            match = SANITIZER_MARKS.search(text)
            if match:
                return f"{os.path.basename(path)}: " + text[max(0, match.start() - 200):match.start() + 3000]
        return None

    def rss_kb(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
        return 0

    def peak_rss_kb(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1])
        return 0

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tail(path, lines):
    try:
        with open(path, "r", encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-lines:])
    except OSError as cause:
        return f"({cause})\n"


class Sandbox:
    """A private directory and the processes in it; a context manager that ends and removes both."""

    def __init__(self, name="openfaith", keep=False):
        self.path = tempfile.mkdtemp(prefix=f"{name}-", dir=os.environ.get("OF_TMPDIR"))
        os.chmod(self.path, 0o755)  # the servers' user must get at its folders; secrets are in files of mode 0600
        self.logs = os.path.join(self.path, "logs")
        os.mkdir(self.logs)
        os.chmod(self.logs, 0o700)
        self.procs, self.keep, self.closed = [], keep, False
        _SANDBOXES.append(self)

    def folder(self, name, for_server=False):
        path = os.path.join(self.path, name)
        os.makedirs(path, exist_ok=True)
        user = server_user() if for_server else None
        if user:
            os.chown(path, user[1], user[2])
        return path

    def kill_all(self):
        for proc in reversed(self.procs):
            proc.kill9()

    def print_logs(self, lines=40, out=sys.stderr):
        for proc in self.procs:
            for path in proc.logs[-2:]:
                code = proc.popen.poll() if proc.popen else None
                print(f"--- {os.path.basename(path)} (exit {code}), last lines:", file=out)
                print(tail(path, 6 if proc.as_server else lines), end="", file=out)

    def sanitizer_reports(self):
        return [report for report in (proc.sanitizer_report() for proc in self.procs) if report]

    def close(self):
        if self.closed:
            return
        self.closed = True
        self.kill_all()
        if not self.keep:
            shutil.rmtree(self.path, ignore_errors=True)
        if self in _SANDBOXES:
            _SANDBOXES.remove(self)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None and not issubclass(kind, (KeyboardInterrupt, SystemExit, Skip)):
            self.keep = self.keep or "OF_TEST_DISCARD" not in os.environ
            self.kill_all()
            self.print_logs()
            if self.keep:
                print(f"--- directory kept: {self.path}", file=sys.stderr)
        self.close()
        return False


def _close_all():
    for box in list(_SANDBOXES):
        box.close()


def _on_signal(signo, _frame):
    # atexit runs on SystemExit only; a second signal ends us at once (children die by their parent-death signal)
    signal.signal(signo, signal.SIG_DFL)
    raise SystemExit(128 + signo)


atexit.register(_close_all)


def handle_signals():
    for signo in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(signo, _on_signal)
