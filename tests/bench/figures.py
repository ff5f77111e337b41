# SPDX-License-Identifier: Apache-2.0
"""What the benches of the whole system share: CPU time by process, the machine's own account, a run's way through its phases."""
import contextlib
import json
import os
import time

import harness
from procs import wait_until

CONTACTS = ["Person", "Email", "PhoneNumber", "Address"]
STEPS = ("stage", "match", "create", "populate", "check")
_TICK = os.sysconf("SC_CLK_TCK")


# ---------------------------------------------------------------------------------------------------------------------
def _stat(pid):
    """(parent, own CPU seconds, CPU seconds of children that have ended) or None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[1]), (int(fields[11]) + int(fields[12])) / _TICK, (int(fields[13]) + int(fields[14])) / _TICK


def _children(parent):
    out = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            stat = _stat(name)
            if stat and stat[0] == parent:
                out[int(name)] = stat[1]
    return out


def postgres_cpu(postmaster):
    """CPU seconds of a Postgres: the postmaster, its children, and those that have ended. (all, {helper's title: seconds})."""
    _, own, ended = _stat(postmaster)
    total, titles = own + ended, {}
    for pid, seconds in _children(postmaster).items():
        total += seconds
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as text:
            title = text.read().replace("\0", " ").strip()
            title = title.split(": ", 1)[-1].split(" ")[0] if ": " in title else title
            if title in ("checkpointer", "walwriter", "background", "autovacuum"):
                titles[title] = titles.get(title, 0) + seconds
    return total, titles


class CpuAccount:
    """CPU seconds by process from `begin` to `end`; all processes must be there at both."""

    def __init__(self, c):
        self.c, self.before = c, {}
        self.machine_before = None

    def _now(self):
        c = self.c
        out = {proc.name: proc.cpu_seconds() for proc in c.workers + c.schedulers}
        out["postgres"] = postgres_cpu(c.pg.proc.pid)[0]
        kafka = getattr(c.kafka, "proc", None)
        if kafka is not None:
            out["kafka (JVM)" if c.kafka_kind == "real" else "mock broker"] = kafka.cpu_seconds()
        out["simulator"] = c.sim.proc.cpu_seconds()
        out["this bench"] = time.process_time()
        return out

    @staticmethod
    def _machine():
        with open("/proc/stat", encoding="ascii") as stat:
            v = [int(word) / _TICK for word in stat.readline().split()[1:9]]
        return {"busy": v[0] + v[1] + v[2] + v[5] + v[6], "idle": v[3], "iowait": v[4], "stolen": v[7]}

    def begin(self):
        self.before, self.machine_before = self._now(), self._machine()
        return self

    def end(self):
        """{process: seconds}, and the machine's: busy, of these by others, idle, iowait, stolen."""
        after, machine = self._now(), self._machine()
        used = {name: after[name] - self.before.get(name, 0) for name in after}
        all_of = {name: machine[name] - self.machine_before[name] for name in machine}
        all_of["others"] = max(0.0, all_of["busy"] - sum(used.values()))
        return used, all_of


# ---------------------------------------------------------------------------------------------------------------------
class Watch:
    """Follows one org's run by its rows in Postgres: when each type's step began and ended, pauses, what backends wait for."""

    def __init__(self, c, org, sample_waits=False, progress=False):
        self.c, self.org, self.sample_waits, self.progress = c, org, sample_waits, progress
        self.steps, self.waits, self.samples = {}, {}, 0      # (type, step) -> [first seen, last seen]
        self.longest_pause, self.pause_at = 0.0, 0.0
        self.begin = time.monotonic()
        self._last, self._moved, self._said = None, self.begin, self.begin

    def _look(self, cur):
        cur.execute("SELECT p.external_type, p.step, p.seq, p.processed, p.total FROM sync.phase p JOIN sync.run r ON r.id = p.run_id "
                    "WHERE r.org_id = %s", (self.org,))
        rows, now = cur.fetchall(), time.monotonic()
        for kind, step, _, _, _ in rows:
            seen = self.steps.setdefault((kind, step), [now - self.begin, now - self.begin])
            seen[1] = now - self.begin
        if rows != self._last:
            pause = now - self._moved
            if pause > self.longest_pause and self._last:
                self.longest_pause, self.pause_at = pause, self._moved - self.begin
            self._last, self._moved = rows, now
        if self.sample_waits:
            self._sample(cur)
        if self.progress and now - self._said >= 2:
            self._said = now
            print(f"  {now - self.begin:6.1f} s " + "  ".join(f"{k}:{s} {n}/{t}" for k, s, _, n, t in rows if s != "done"), flush=True)

    def _sample(self, cur):
        """What the backends of our programs do: not idle ones by wait event (none: on the CPU)."""
        cur.execute("SELECT state, coalesce(wait_event_type || ':' || wait_event, 'CPU'), count(*) FROM pg_stat_activity "
                    "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND state <> 'idle' GROUP BY 1, 2")
        self.samples += 1
        for state, event, n in cur.fetchall():
            self.waits[(state, event)] = self.waits.get((state, event), 0) + n

    def until_active(self, timeout):
        with contextlib.closing(self.c.db()) as db, db.cursor() as cur:
            def done():
                self._look(cur)
                cur.execute("SELECT (SELECT count(*) FROM sync.status WHERE org_id = %s AND state <> 'active') = 0 "
                            "AND (SELECT state FROM sync.run WHERE org_id = %s) = 'done'", (self.org, self.org))
                return cur.fetchone()[0]
            wait_until(done, timeout, f"{self.org}: active", 0.2)
        state = self.c.status(self.org)["state"]
        if state != harness.ACTIVE:
            raise harness.HarnessError(f"{self.org} says {state!r}")
        return self

    def phases(self, types):
        """Lines of a table: per type the seconds in each step, and from when to when."""
        lines = ["  " + f"{'type':<14}" + "".join(f"{step:>20}" for step in STEPS)]
        for kind in types:
            cells = []
            for step in STEPS:
                seen = self.steps.get((kind, step))
                cells.append(f"{seen[1] - seen[0]:.1f} ({seen[0]:.1f}-{seen[1]:.1f})" if seen else "-")
            lines.append("  " + f"{kind:<14}" + "".join(f"{cell:>20}" for cell in cells))
        return lines

    def wait_lines(self):
        rows = sorted(self.waits.items(), key=lambda item: -item[1])[:12]
        return [f"  {n / max(self.samples, 1):6.2f} backends  {state}, {event}" for (state, event), n in rows]


# ---------------------------------------------------------------------------------------------------------------------
def ready(c, timeout=60):
    """All our programs say that they are ready: what follows measures no start."""
    for proc in c.workers + c.schedulers:
        wait_until(lambda p=proc: c.http_get(p, "/readyz")[0] == 200, timeout, f"{proc.name}: ready", 0.1)


def log_findings(c, limit=12):
    """Warnings and errors of our programs' logs, counted by text."""
    found = {}
    for proc in c.workers + c.schedulers:
        for line in proc.log_text(all_starts=True).splitlines():
            try:
                item = json.loads(line)
            except ValueError:
                found[(proc.name, line[:160])] = found.get((proc.name, line[:160]), 0) + 1
                continue
            if str(item.get("level", "")).lower() in ("warn", "warning", "error", "fatal", "critical"):
                key = (str(item.get("level")), f"{item.get('msg', '')} {item.get('err', item.get('error', ''))}"[:160])
                found[key] = found.get(key, 0) + 1
    rows = sorted(found.items(), key=lambda item: -item[1])[:limit]
    return [f"  {n} x {who}: {text}" for (who, text), n in rows]


def line(title, value, goal=None, met=None):
    text = f"{title:<44} {value}"
    if goal is not None:
        text += f"   (goal {goal}: {'reached' if met else 'NOT reached'})"
    print(text, flush=True)
