#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How fast a church comes in when no limit holds it back: people with their e-mails, phone numbers and addresses, through stage,
match, create and populate, from `connect` until it is active. Real Kafka, Postgres that keeps its promises (fsync on), two
workers, one scheduler, the simulator on the same machine. Beside it, in the same run: the rate at which the simulator alone hands
the very same requests to curl, and what Postgres alone needs to write the same rows with one set-based statement per step.

    tests/bench/bench_sync.py [--people 100000] [--statements] [--perf] [--progress]

It prints figures and judges none; it fails only when the sync does not end.
"""
import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import figures  # noqa: E402
import harness  # noqa: E402
from figures import CONTACTS, line  # noqa: E402

ORG = "church-1"
GOAL_RATE, GOAL_RSS_MB = 15000, 48
TABLES = {"Person": "openfaith_people", "Email": "openfaith_emails", "PhoneNumber": "openfaith_phoneNumbers",
          "Address": "openfaith_addresses"}
PG_SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "8GB", "checkpoint_timeout": "15min", "random_page_cost": "1.1",
               "effective_cache_size": "2GB", "work_mem": "16MB", "maintenance_work_mem": "128MB", "wal_buffers": "16MB"}
PG_SHOWN = ("server_version", "shared_buffers", "fsync", "synchronous_commit", "full_page_writes", "wal_level", "max_wal_size",
            "checkpoint_timeout", "wal_compression", "autovacuum", "random_page_cost", "work_mem")


# -- reference (a): the simulator alone --------------------------------------------------------------------------------
def simulator_alone(c, since):
    """Asks for everything that the workers asked for once more, with curl, four at a time. (seconds, requests, bytes)."""
    asked = [e for e in c.sim.requests(1) if e["method"] == "GET" and e["status"] == 200 and e["seq"] >= since]
    path = os.path.join(c.box.path, "curl.config")
    with open(path, "w", encoding="utf-8") as out:
        for item in asked:
            out.write(f'url = "{c.sim.base_url}{item["target"]}"\noutput = "/dev/null"\n')
    begin = time.monotonic()
    subprocess.run(["curl", "--no-progress-meter", "--fail", "--globoff", "--parallel", "--parallel-immediate", "--parallel-max",
                    "4", "--user", "app-1:secret-1", "--header", "User-Agent: openfaith-bench", "--config", path],
                   check=True, stdin=subprocess.DEVNULL)
    return time.monotonic() - begin, len(asked), sum(item["bytes"] or 0 for item in asked)


# -- reference (b): Postgres alone -------------------------------------------------------------------------------------
def _carry(source, target, query, table):
    with tempfile.TemporaryFile() as spool:
        with source.cursor() as cur:
            cur.copy_expert(f"COPY ({query}) TO STDOUT (FORMAT binary)", spool)
        spool.seek(0)
        with target.cursor() as cur:
            cur.copy_expert(f"COPY {table} FROM STDIN (FORMAT binary)", spool)


def _prepare(source, target):
    """The rows that the sync made, as plain tables without an index, in another database."""
    with target.cursor() as cur:
        cur.execute("CREATE SCHEMA src")
        cur.execute("CREATE UNLOGGED TABLE src.link (t text, ext text, n bigint, meta jsonb, created timestamptz, updated timestamptz, "
                    "entity_type text, entity_id text, body jsonb, keys text[])")
        cur.execute("CREATE UNLOGGED TABLE src.edges (LIKE public.openfaith_edges)")
        for table in TABLES.values():
            cur.execute(f'CREATE UNLOGGED TABLE src."{table}" (LIKE public."{table}")')
    types = ", ".join(f"'{name}'" for name in CONTACTS)
    _carry(source, target,
           "SELECT l.external_type, l.external_id, l.id, l.link_metadata, l.external_created_at, l.external_updated_at, l.entity_type, "
           "l.entity_id, coalesce(b.seen, b.staged), b.match_keys FROM sync.external_link l "
           f"JOIN sync.base b ON b.org_id = l.org_id AND b.link_id = l.id WHERE l.org_id = '{ORG}' AND l.external_type IN ({types}) "
           "AND l.state = 'linked' ORDER BY l.id", "src.link")
    _carry(source, target, f"SELECT * FROM public.openfaith_edges WHERE \"orgId\" = '{ORG}'", "src.edges")
    for table in TABLES.values():
        _carry(source, target, f"SELECT * FROM public.\"{table}\" WHERE \"orgId\" = '{ORG}' ORDER BY id", f'src."{table}"')
    with target.cursor() as cur:
        cur.execute("ANALYZE")
        cur.execute("CHECKPOINT")


def postgres_alone(c):
    """Writes the same rows with one statement per step and type, each its own transaction. [(step, rows, seconds)], records."""
    name = c.pg.create_database()
    env = c.env(OF_DATABASE_URL=c.pg.url(name))
    c.ctl("migrate", env=env)
    steps = [
        ("link insert", "INSERT INTO sync.external_link (org_id, adapter, external_type, external_id, kind, link_metadata, "
         "external_created_at, external_updated_at, read_seq, run_id, seen_run) "
         f"SELECT '{ORG}', 'pco', t, ext, 'entity', meta, created, updated, 1, 1, 1 FROM src.link ORDER BY n"),
        ("base insert", "INSERT INTO sync.base (org_id, link_id, staged, match_keys) SELECT l.org_id, l.id, s.body, s.keys FROM src.link s "
         "JOIN sync.external_link l ON l.org_id = %(org)s AND l.adapter = 'pco' AND l.external_type = s.t AND l.external_id = s.ext "
         "ORDER BY l.id"),
        ("claim", "UPDATE sync.external_link l SET state = 'linked', entity_type = s.entity_type, entity_id = s.entity_id, "
         "last_processed_at = now(), rev = l.rev + 1 FROM src.link s WHERE l.org_id = %(org)s AND l.adapter = 'pco' "
         "AND l.external_type = s.t AND l.external_id = s.ext AND l.entity_id IS NULL"),
        ("base update", "UPDATE sync.base SET seen = staged, staged = NULL, agreed = NULL, write_xid = pg_current_xact_id() "
         "WHERE org_id = %(org)s AND staged IS NOT NULL"),
        *[(f"entity {kind}", f'INSERT INTO public."{table}" SELECT * FROM src."{table}"') for kind, table in TABLES.items()],
        ("edges", "INSERT INTO public.openfaith_edges SELECT * FROM src.edges"),
    ]
    out = []
    with contextlib.closing(c.db()) as source, contextlib.closing(c.pg.connect(name)) as target:
        _prepare(source, target)
        with target.cursor() as cur:
            cur.execute("SELECT count(*) FROM src.link")
            records = cur.fetchone()[0]
            cur.execute("SET max_parallel_workers_per_gather = 0")
            cur.execute("SET work_mem = '128MB'")
            for title, statement in steps:
                begin = time.monotonic()
                cur.execute(statement.replace("%(org)s", f"'{ORG}'"))
                out.append((title, cur.rowcount, time.monotonic() - begin))
    return out, records


# -- profiles ----------------------------------------------------------------------------------------------------------
def statements(c, n=15):
    rows = c.query("SELECT s.total_exec_time / 1000, s.calls, s.rows, s.wal_bytes / 1048576, s.query FROM pg_stat_statements s "
                   "JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = %s ORDER BY 1 DESC LIMIT %s", c.database, n)
    total = c.value("SELECT sum(total_exec_time) / 1000 FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid "
                    "WHERE d.datname = %s", c.database)
    print(f"statements by total time ({total:.1f} s in all):")
    print(f"  {'seconds':>8} {'calls':>8} {'rows':>9} {'ms/call':>8} {'WAL MB':>7}  statement")
    for seconds, calls, count, wal, text in rows:
        print(f"  {seconds:8.2f} {calls:8} {count:9} {1000 * seconds / calls:8.2f} {wal:7.0f}  {' '.join(text.split())[:150]}")


def analyze_often(c, period, stop):
    with contextlib.closing(c.db()) as db, db.cursor() as cur:
        while not stop.wait(period):
            cur.execute("ANALYZE sync.external_link, sync.base, sync.phase, public.openfaith_edges")


class Perf:
    """Samples the programs with `perf record`, where the machine lets us."""

    def __init__(self, c, pids, name):
        self.path, self.name = os.path.join(c.box.path, f"perf.{name}.data"), name
        self.popen = subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", "199", "-o", self.path,
                                       "-p", ",".join(map(str, pids))], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)

    def report(self, n=25):
        self.popen.send_signal(2)
        self.popen.wait()
        done = subprocess.run(["perf", "report", "-i", self.path, "--stdio", "--no-children", "--sort", "dso,symbol"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        rows = [text for text in done.stdout.splitlines() if text.strip() and not text.startswith("#")]
        print(f"perf, {self.name}:")
        print("\n".join("  " + text.rstrip()[:130] for text in rows[:n]))


class BackendPerf(Perf):
    def __init__(self, c):
        super().__init__(c, list(figures._children(c.pg.proc.pid)), "postgres")


# ---------------------------------------------------------------------------------------------------------------------
def measure(c, args):
    watch = figures.Watch(c, ORG, sample_waits=True, progress=args.progress)
    account = figures.CpuAccount(c).begin()
    since = c.sim.stats(1)["next_seq"]
    wal = c.value("SELECT pg_current_wal_insert_lsn()::text")
    perfs = []
    begin, watch.begin = time.time(), time.monotonic()
    c.connect(ORG, types=CONTACTS)
    connected = time.time() - begin
    if args.perf:
        perfs = [Perf(c, [p.pid for p in c.workers], "workers")]
        timer = threading.Timer(2.0, lambda: perfs.append(BackendPerf(c)))  # when their connections are there
        timer.start()
    stop = threading.Event()
    if args.analyze:
        threading.Thread(target=analyze_often, args=(c, args.analyze, stop), daemon=True).start()
    try:
        watch.until_active(args.timeout)
    except harness.HarnessError as cause:
        raise harness.HarnessError(f"{cause}\nstatus: {c.status(ORG)}\n{c.owed()}") from None
    used, machine = account.end()
    stop.set()
    finished = float(c.value("SELECT extract(epoch FROM finished_at) FROM sync.run WHERE org_id = %s", ORG))
    took = finished - begin
    wal_mb = float(c.value("SELECT pg_current_wal_insert_lsn() - %s::pg_lsn", wal)) / 1048576
    records = c.query("SELECT external_type, count(*) FROM sync.external_link WHERE org_id = %s AND state = 'linked' GROUP BY 1", ORG)
    made = dict(records)
    total = sum(made.values())
    stats = c.sim.stats(1)

    print(f"\n== {args.people} people: " + ", ".join(f"{kind} {made.get(kind, 0)}" for kind in CONTACTS)
          + f", others {total - sum(made.get(kind, 0) for kind in CONTACTS)}")
    line("seconds from connect to active", f"{took:.2f} (the command itself {connected:.2f})")
    line("records per second", f"{total / took:.0f}", f">= {GOAL_RATE}", total / took >= GOAL_RATE)
    for proc in c.workers:
        rss = proc.peak_rss_kb() / 1024
        line(f"{proc.name}: peak RSS, threads", f"{rss:.1f} MB, {proc.threads()}", f"<= {GOAL_RSS_MB} MB", rss <= GOAL_RSS_MB)
    line("requests", f"{stats['requests']}, most at once {stats['max_inflight']}, {stats['bytes'] / 1048576:.0f} MB")
    line("WAL", f"{wal_mb:.0f} MB ({wal_mb * 1048576 / max(total, 1):.0f} bytes per record)")
    print("CPU seconds by process:")
    for name, seconds in sorted(used.items(), key=lambda item: -item[1]):
        print(f"  {seconds:8.2f}  {1e6 * seconds / max(total, 1):7.1f} us/record  {name}")
    print(f"  {sum(used.values()):8.2f}  {1e6 * sum(used.values()) / max(total, 1):7.1f} us/record  together; machine of {os.cpu_count()} cores: "
          f"others {machine['others']:.1f}, idle {machine['idle']:.1f}, waiting for the disk {machine['iowait']:.1f}, "
          f"stolen {machine['stolen']:.1f}")
    print("seconds in each step (from - to):")
    print("\n".join(watch.phases(sorted({kind for kind, _ in watch.steps}, key=lambda k: CONTACTS.index(k) if k in CONTACTS else 9))))
    line("longest time in which no phase moved", f"{watch.longest_pause:.1f} s, from second {watch.pause_at:.1f}")
    print("backends that were not idle, on average, by what they waited for:")
    print("\n".join(watch.wait_lines()))
    for perf in perfs:
        perf.report()
    if args.statements:
        statements(c)
    found = figures.log_findings(c)
    print("warnings and errors in logs: " + ("none" if not found else ""))
    print("\n".join(found))
    owed = c.query("SELECT state, record_type, reason, error, count(*) FROM sync.work GROUP BY 1, 2, 3, 4 LIMIT 10")
    line("rows left in sync.work", owed or "none")
    return took, total, since


def references(c, took, total, since):
    c.stop_programs()
    seconds, requests, size = simulator_alone(c, since)
    print("\n== beside it")
    line("simulator alone to curl, 4 at once", f"{seconds:.2f} s, {requests} requests ({requests / seconds:.0f}/s), {size / 1048576:.0f} MB, "
         f"{total / seconds:.0f} records/s")
    steps, records = postgres_alone(c)
    for title, rows, spent in steps:
        print(f"  {title:<20} {rows:9} rows  {spent:7.2f} s  {1e6 * spent / max(rows, 1):7.1f} us/row")
    alone = sum(spent for _, _, spent in steps)
    line("Postgres alone, set-based, one session", f"{alone:.2f} s, {1e6 * alone / max(records, 1):.1f} us/record, {records / alone:.0f} records/s")
    line("the sync took", f"{took / alone:.2f} x Postgres alone, {took / seconds:.2f} x the simulator alone")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=100000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kafka", choices=("real", "mock"), default="real")
    parser.add_argument("--statements", action="store_true", help="pg_stat_statements: the 15 statements that took most time")
    parser.add_argument("--perf", action="store_true", help="perf record of workers and Postgres")
    parser.add_argument("--progress", action="store_true", help="a line every two seconds")
    parser.add_argument("--no-references", action="store_true")
    parser.add_argument("--compare", action="store_true", help="compare both sides field by field at the end")
    parser.add_argument("--timeout", type=int, default=900)
    parser.add_argument("--pg", action="append", default=[], metavar="NAME=VALUE", help="a setting of Postgres")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="a setting of our programs")
    parser.add_argument("--analyze", type=float, metavar="SECONDS", help="ANALYZE that often meanwhile: what bad plans cost")
    parser.add_argument("--explain", type=int, metavar="MS", help="plans of statements that take longer go to Postgres' log")
    parser.add_argument("--keep", action="store_true", help="keep the directory with the logs")
    args = parser.parse_args()
    harness.handle_signals()
    env = dict(item.split("=", 1) for item in args.env)
    with harness.Cluster("bench-sync", kafka=args.kafka, people=args.people, workers=args.workers, fast=False, quick=False,
                         start=False, keep=args.keep, env=env) as c:
        c.pg.settings.update(PG_SETTINGS)
        c.pg.settings.update(dict(item.split("=", 1) for item in args.pg))
        if args.statements:
            c.pg.settings.update({"shared_preload_libraries": "pg_stat_statements", "track_io_timing": "on"})
        if args.explain is not None:
            c.pg.settings.update({"session_preload_libraries": "auto_explain", "auto_explain.log_min_duration": args.explain,
                                  "auto_explain.log_analyze": "on", "auto_explain.log_timing": "off"})
        c.start_servers()
        c.migrate()
        if args.statements:
            c.query("CREATE EXTENSION pg_stat_statements")
        print("Postgres: " + ", ".join(f"{name} {c.value(f'SHOW {name}')}" for name in PG_SHOWN))
        print(f"machine: {os.cpu_count()} cores, load {' '.join(f'{v:.1f}' for v in os.getloadavg())}; {c.box.path}; Kafka {args.kafka}, "
              f"{args.workers} workers, {harness.build_dir()}", flush=True)
        c.sim.post("/_sim/orgs/1/config", {"generate": True})
        c.start_programs()
        figures.ready(c)
        if args.statements:
            c.query("SELECT pg_stat_statements_reset()")
        took, total, since = measure(c, args)
        sys.stdout.flush()
        if args.compare:
            found = c.differences(ORG)
            line("differences between both sides", len(found))
            print("\n".join("  " + text for text in found[:20]))
        if not args.no_references:
            references(c, took, total, since)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except psycopg2.Error as error:
        sys.exit(f"bench_sync: {error}")
