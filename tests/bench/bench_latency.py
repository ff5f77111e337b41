#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""From an edit in OpenFaith to the request that carries it arriving at the ChMS: 200 edits a second over 100 churches, each of another
record, through change reader, Kafka and two workers. Begins before the edit's statement is sent (its commit is in it) and ends when the
simulator has the request. Prints p50, p99 and the largest; beside it the commit alone, and one HTTP request of our own.

    tests/bench/bench_latency.py [--orgs 100] [--rate 200] [--seconds 30] [--kafka real|mock]
"""
import argparse
import concurrent.futures
import json
import os
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "support"))
import figures  # noqa: E402
import harness  # noqa: E402
from procs import wait_until  # noqa: E402

PEOPLE = 40
WRITERS = 4


def connect(c, n):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: c.connect(f"org-{i}", org_index=i, types=["Person"]), range(1, n + 1)))
    wait_until(lambda: c.value("SELECT count(*) FROM sync.status WHERE state <> 'active'") == 0
               and c.value("SELECT count(*) FROM sync.run WHERE state <> 'done'") == 0, 600, "all churches active", 0.5)
    c.settle(timeout=120)
    return c.query("SELECT entity_id FROM sync.external_link WHERE external_type = 'Person' AND state = 'linked' "
                   "ORDER BY hashtext(entity_id)")


def clock_offset(c):
    """Our monotonic seconds at the ledger's zero, and the seconds that a request took on its way there and back (the quickest)."""
    best = None
    for _ in range(50):
        before = time.monotonic()
        c.sim.api(1, "/people/v2/people?per_page=1")
        took = time.monotonic() - before
        if best is None or took < best[0]:
            best = (took, before, c.sim.requests(1)[-1]["t_ms"])
    return best[1] + best[0] / 2 - best[2] / 1000, best[0]


def edits(c, people, rate, seconds, word="Edit"):
    """Edits at the rate, by several writers: {mark: (begun, committed)} in our seconds."""
    done, lock = {}, threading.Lock()

    def write(n):
        db = c.db()
        db.autocommit = True
        with db.cursor() as cur:
            start = time.monotonic() + n / rate
            for i in range(n, int(rate * seconds), WRITERS):
                ahead = start + (i - n) / rate - time.monotonic()
                if ahead > 0:
                    time.sleep(ahead)
                begun = time.monotonic()
                cur.execute('UPDATE openfaith_people SET "firstName" = %s, "updatedAt" = now(), "updatedBy" = \'user_1\' WHERE id = %s',
                            (f"{word} {i}", people[i % len(people)][0]))
                with lock:
                    done[f"{word} {i}"] = (begun, time.monotonic())
        db.close()
    writers = [threading.Thread(target=write, args=(n,)) for n in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    return done


def share(values, part):
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orgs", type=int, default=100)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--kafka", choices=("real", "mock"), default="real")
    parser.add_argument("--statements", action="store_true", help="the statements with the most total time")
    args = parser.parse_args()
    with harness.Cluster("bench-latency", kafka=args.kafka, orgs=args.orgs, people=PEOPLE, workers=2, fast=False, quick=False,
                         log_level="warn", start=False) as c:
        if args.statements:
            c.pg.settings.update({"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track_planning": "on"})
        c.start()
        people = connect(c, args.orgs)
        edits(c, people, args.rate, 5, "Warm")  # connections, plans and Kafka's metadata are there after these
        c.settle(timeout=120)
        c.sim.reset_ledger()
        c.sim.keep_bodies()
        zero, trip = clock_offset(c)
        if args.statements:
            c.query("CREATE EXTENSION pg_stat_statements; SELECT pg_stat_statements_reset()")
        account = figures.CpuAccount(c).begin()
        done = edits(c, people, args.rate, args.seconds)
        c.settle(timeout=120)
        used, machine = account.end()
        if args.statements:
            for row in c.query("SELECT round(total_exec_time), round(total_plan_time), calls, plans, rows, left(regexp_replace(query, "
                               "'\\s+', ' ', 'g'), 150) FROM pg_stat_statements ORDER BY total_exec_time + total_plan_time DESC LIMIT 15"):
                print("  %s ms at work, %s ms planning, %s calls, %s plans, %s rows: %s" % row)
        arrived = {}
        for e in c.sim.writes():
            body = e.get("body")
            text = json.dumps(body) if not isinstance(body, str) else body
            mark = text.split('"first_name"', 1)[1].split('"', 2)[1] if '"first_name"' in text else None
            arrived.setdefault(mark, zero + e["t_ms"] / 1000)
        waits = [1000 * (arrived[mark] - begun) for mark, (begun, _) in done.items() if mark in arrived]
        commits = [1000 * (committed - begun) for begun, committed in done.values()]
        print(f"{len(done)} edits, {args.rate} a second over {args.orgs} churches, {len(waits)} arrived as requests of their own")
        print(f"the commit alone                              p50 {share(commits, .5):.1f} ms, p99 {share(commits, .99):.1f} ms")
        print(f"one HTTP request and its answer, on its own   {1000 * trip:.1f} ms at best")
        p99 = share(waits, .99)
        figures.line("edit to request at the ChMS", f"p50 {share(waits, .5):.1f} ms, p90 {share(waits, .9):.1f} ms, p99 {p99:.1f} ms, "
                     f"largest {max(waits):.1f} ms", "p99 50 ms", p99 <= 50)
        for name, seconds in sorted(used.items()):
            print(f"CPU ms per edit, {name:<13}{seconds * 1000 / len(done):.2f}")
        print(f"idle {machine['idle']:.1f} of {2 * args.seconds} CPU seconds, others on this machine {machine['others']:.1f}")
        if len(waits) < len(done):
            print(f"NOT all arrived: {sorted(set(done) - set(arrived))[:5]}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
