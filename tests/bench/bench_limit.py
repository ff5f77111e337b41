#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A church of 10,000 people with contacts under the real limit (100 requests in 20 s) and 0.3 s latency: seconds until it is active,
requests, refusals, and the share of the permits that were used, by the simulator's ledger.

    tests/bench/bench_limit.py [--people 10000] [--kafka mock|real] [--window fixed|sliding]
"""
import argparse
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import figures  # noqa: E402
import harness  # noqa: E402
from figures import CONTACTS, line  # noqa: E402

ORG = "church-1"
GOAL_S, GOAL_REQUESTS = 25, 115


def by_kind(entries):
    """Requests by path and order: what the permits went for."""
    found = {}
    for item in entries:
        path, _, query = item["target"].partition("?")
        order = re.search(r"order=(\w+)", query)
        key = re.sub(r"/\d+", "/N", path) + (f" order={order.group(1)}" if order else "") + (" per_page=1" if "per_page=1&" in query + "&" else "")
        found[key] = found.get(key, 0) + 1
    return sorted(found.items(), key=lambda pair: -pair[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=10000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kafka", choices=("real", "mock"), default="real")
    parser.add_argument("--limit", default="100/20")
    parser.add_argument("--latency-ms", type=int, default=300)
    parser.add_argument("--window", choices=("fixed", "sliding"), default="fixed")
    parser.add_argument("--timeout", type=int, default=300)
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    harness.handle_signals()
    with harness.Cluster("bench-limit", kafka=args.kafka, people=args.people, workers=args.workers, rate=args.limit,
                         latency_ms=args.latency_ms, window=args.window, fast=False, quick=False, keep=args.keep,
                         start=False) as c:
        c.start_servers()
        c.migrate()
        c.sim.post("/_sim/orgs/1/config", {"generate": True})
        c.start_programs()
        figures.ready(c)
        account = figures.CpuAccount(c).begin()
        watch = figures.Watch(c, ORG)
        begin, watch.begin = time.time(), time.monotonic()
        c.connect(ORG, types=CONTACTS, rate=args.limit)
        watch.until_active(args.timeout)
        used, machine = account.end()
        took = float(c.value("SELECT extract(epoch FROM finished_at) FROM sync.run WHERE org_id = %s", ORG)) - begin
        stats, entries = c.sim.stats(1), c.sim.requests(1)
        records = c.value("SELECT count(*) FROM sync.external_link WHERE org_id = %s AND state = 'linked'", ORG)
        print(f"== {args.people} people with contacts, {records} records, limit {args.limit}, window {args.window}, latency "
              f"{args.latency_ms} ms, Kafka {args.kafka}, {args.workers} workers")
        line("seconds from connect to active", f"{took:.1f}", f"<= {GOAL_S}", took <= GOAL_S)
        line("requests", stats["requests"], f"<= {GOAL_REQUESTS}", stats["requests"] <= GOAL_REQUESTS)
        line("refused (429)", stats["refused"], "0", stats["refused"] == 0)
        line("share of the permits used", f"{100 * stats['permit_share']:.1f} %")
        line("fullest window, fixed and sliding", f"{stats['max_in_fixed_window']}, {stats['max_in_sliding_window']} of {stats['limit']}")
        line("most requests at once", stats["max_inflight"])
        line("first request, last answer", f"{stats['first_ms'] / 1000:.1f}, {stats['last_ms'] / 1000:.1f} s on the simulator's clock: "
             f"{(stats['last_ms'] - stats['first_ms']) / 1000:.1f} s apart")
        print("requests by kind:")
        for kind, n in by_kind(entries)[:14]:
            print(f"  {n:5}  {kind}")
        print("seconds in each step (from - to):")
        print("\n".join(watch.phases(sorted({kind for kind, _ in watch.steps}, key=lambda k: CONTACTS.index(k) if k in CONTACTS else 9))))
        line("CPU seconds", ", ".join(f"{name} {seconds:.2f}" for name, seconds in sorted(used.items(), key=lambda i: -i[1]))
             + f"; others {machine['others']:.1f}")
        found = figures.log_findings(c)
        print("warnings and errors in logs: " + ("none" if not found else ""))
        print("\n".join(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
