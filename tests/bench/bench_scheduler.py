#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How fast one scheduler emits due polls: N connections, all due at once, until the last row is moved (which is after the
broker's acknowledgement). Beside it, in the same run: what our producer alone sends to this broker, and what Postgres alone
needs to move the same rows in the same batches.

    tests/bench/bench_scheduler.py [--connections 200000] [--kafka real|mock] [--schedulers 1]
"""
import argparse
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import harness  # noqa: E402
from procs import REPO, program, wait_until  # noqa: E402

GOAL_S = 5.0


def fill(c, n):
    c.query("INSERT INTO sync.connection (org_id, adapter, mode, types, budget_key) "
            "SELECT 'org-' || i, 'pco', 'bidirectional', '{}', 'key-' || i FROM generate_series(1, %s) i", n)
    c.query("INSERT INTO sync.schedule (org_id, adapter, period_s, due_at) "
            "SELECT 'org-' || i, 'pco', 86400, now() - interval '1 minute' * random() FROM generate_series(1, %s) i", n)
    c.query("ANALYZE sync.connection, sync.schedule")


def make_due(c):
    c.query("UPDATE sync.schedule SET due_at = now() - interval '1 minute' * random(), emitted_at = NULL")
    c.query("VACUUM sync.schedule")
    c.query("CHECKPOINT")


def sql_alone(c, batch):
    """The scheduler's own statement, without Kafka."""
    with open(os.path.join(REPO, "producer/scheduler/sched_polls.sql"), encoding="ascii") as text:
        statement = text.read().replace("$1", str(batch)).replace("$2", "'-infinity'").replace("$3", "86400000").rstrip().rstrip(";")
    db = c.db()
    with db.cursor() as cur:
        cur.execute("SET enable_hashjoin = off; SET enable_mergejoin = off")
        begin = time.monotonic()
        while True:
            cur.execute(statement.replace("%", "%%"), ())
            if not cur.fetchall():
                break
    db.close()
    return time.monotonic() - begin


def emitted(c, proc):
    text = c.http_get(proc, "/metrics")[1]
    return float(re.search(r'openfaith_scheduler_emitted_total\{kind="poll"\} (\S+)', text).group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=200000)
    parser.add_argument("--kafka", choices=("real", "mock"), default="real")
    parser.add_argument("--schedulers", type=int, default=1)
    parser.add_argument("--batch", type=int, default=1000)
    args = parser.parse_args()
    n = args.connections
    with harness.Cluster("bench-scheduler", kafka=args.kafka, start=False, sim=False,
                         env={"OF_SCHEDULER_BATCH": args.batch}) as c:
        c.start_servers()
        c.migrate()
        fill(c, n)
        alone = sql_alone(c, args.batch)
        produce = int(subprocess.run([program("bench-produce"), c.kafka.brokers, str(n)], check=True,
                                     stdout=subprocess.PIPE, text=True).stdout)
        make_due(c)
        begin, clock = time.monotonic(), time.time()
        procs = [c.add_scheduler() for _ in range(args.schedulers)]
        # asked of the schedulers: the same question to Postgres would walk over all that has moved, again and again
        wait_until(lambda: sum(emitted(c, p) for p in procs) >= n, 300, "all moved", 0.05)
        took = time.monotonic() - begin
        assert c.value("SELECT count(*) FROM sync.schedule WHERE due_at > emitted_at") == n
        cpu = sum(p.cpu_seconds() for p in procs)
        rss = max(p.peak_rss_kb() for p in procs)
        first, last = c.query("SELECT extract(epoch FROM min(emitted_at)), extract(epoch FROM max(emitted_at)) FROM sync.schedule")[0]
        print(f"connections due               {n}")
        print(f"schedulers                    {args.schedulers}, batch {args.batch}, Kafka {args.kafka}")
        print(f"seconds to the last row moved {took:.2f}   (goal {GOAL_S:g}; its start and connecting are in it)")
        print(f"  of them from first to last batch {float(last - first):.2f}, before the first {float(first) - clock:.2f}")
        print(f"rows per second               {n / took:.0f}")
        print(f"CPU seconds of schedulers     {cpu:.2f}, peak RSS {rss / 1024:.1f} MB")
        print(f"reference: producer alone     {produce} messages/s ({n / produce:.2f} s)")
        print(f"reference: Postgres alone     {n / alone:.0f} rows/s ({alone:.2f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
