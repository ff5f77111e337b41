#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What polls with nothing new cost: N connections polled so often that there are as many polls a second as 10,000 connections make
every 15 minutes (11.1), two workers. Prints polls, requests and Postgres statements per poll, and CPU milliseconds per poll.

    tests/bench/bench_poll.py [--connections 300] [--seconds 60] [--kafka real|mock]
"""
import argparse
import concurrent.futures
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import figures  # noqa: E402
import harness  # noqa: E402
from procs import wait_until  # noqa: E402

POLLS_PER_SECOND = 10000 / 900


def connect(c, n):
    """Connected, and their first sync taken for done: the first polls bring the little that there is."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: c.connect(f"org-{i}", org_index=i), range(1, n + 1)))
    c.query("UPDATE sync.phase SET step = 'done', emitted_seq = seq")
    c.query("UPDATE sync.run SET state = 'done', barrier = true")
    c.query("UPDATE sync.status SET state = 'active', last_successful_poll = now()")
    c.query("INSERT INTO sync.schedule (org_id, adapter, kind, generation, period_s, due_at) SELECT org_id, adapter, 'poll', generation, "
            "%s, sync.next_moment(org_id, adapter, 'poll', %s, now()) FROM sync.connection", *[max(1, round(n / POLLS_PER_SECOND))] * 2)


def done(c):
    return c.value("SELECT sum(done)::bigint FROM sync.schedule WHERE kind = 'poll'")


def statements(c):
    return c.value("SELECT sum(calls)::bigint FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid "
                   "WHERE d.datname = current_database()")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=300)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--kafka", choices=("real", "mock"), default="real")
    args = parser.parse_args()
    n = args.connections
    with harness.Cluster("bench-poll", kafka=args.kafka, start=False, orgs=n, people=4, quick=False, log_level="warn") as c:
        c.pg.settings.update({"shared_preload_libraries": "pg_stat_statements"})
        c.start_servers()
        c.migrate()
        c.query("CREATE EXTENSION pg_stat_statements")
        connect(c, n)
        c.n_workers, c.n_schedulers = 2, 1
        c.start_programs()
        # three rounds: what there is comes in, then the cursors stand
        wait_until(lambda: c.value("SELECT coalesce(min(done), 0) FROM sync.schedule WHERE kind = 'poll'") >= 3, 600, "three polls each")
        requests = c.sim.get("/_sim/stats")["requests"]
        account, polls, calls, begin = figures.CpuAccount(c).begin(), done(c), statements(c), time.monotonic()
        time.sleep(args.seconds)
        used, machine = account.end()
        calls, polls, took = statements(c) - calls, done(c) - polls, time.monotonic() - begin
        requests = c.sim.get("/_sim/stats")["requests"] - requests
        print(f"connections                   {n}, polled every {round(n / POLLS_PER_SECOND)} s; two workers, Kafka {args.kafka}")
        print(f"polls                         {polls} in {took:.0f} s: {polls / took:.1f}/s ({POLLS_PER_SECOND:.1f}/s is 10,000 every 15 min)")
        print(f"requests per poll             {requests / polls:.1f}")
        print(f"Postgres statements per poll  {calls / polls:.1f}   (all programs: leases, scheduler and gauges in it)")
        for name, seconds in sorted(used.items()):
            print(f"CPU ms per poll, {name:<13}{seconds * 1000 / polls:.2f}")
        print(f"others on this machine        {machine['others']:.1f} CPU seconds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
