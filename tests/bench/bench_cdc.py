#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How fast the change reader empties a backlog into real Kafka, from its start until all is acknowledged and confirmed: rows per
second, CPU seconds per million rows, peak RSS, in each gear, with the product's publication (key and org) and with all columns
published; beside it pg_recvlogical to /dev/null on a copy of the same slot. Then the time from a row's own clock to the broker's.

    tests/bench/bench_cdc.py [--scale 1.0] [--backlogs W1,W2,W3] [--publications product,all] [--seconds 10]

W1: 1,000,000 rows in transactions of 1,000; W2: 300,000 transactions of one row; W3: one transaction of 2,000,000 rows.
"""
import argparse
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import figures  # noqa: E402
from harness import Cluster  # noqa: E402
from procs import wait_until  # noqa: E402

COLUMNS = ('"orgId", "firstName", "lastName", "name", "gender", "birthdate", "membership", "customFields", "externalIds", "createdAt"')
VALUES = ("'o' || mod(i, 100), 'First' || i, 'Last' || i, 'First' || i || ' Last' || i, 'female', '1980-01-01', 'member', "
          "'[{\"name\":\"a field\",\"source\":\"pco\",\"value\":\"what stands in it\"}]'::jsonb, '[]'::jsonb, now()")
GOALS = {("W1", "batches"): 250000, ("W2", "batches"): 100000, ("W3", "batches"): 200000,
         ("W1", "stream"): 90000, ("W2", "stream"): 65000, ("W3", "stream"): 75000}
GEARS = {"batches": "0", "stream": str(1 << 49)}
SERIAL = [0]


def backlog(c, name, scale):
    """Writes it; the number of rows."""
    SERIAL[0] += 1
    rows = int({"W1": 1000000, "W2": 300000, "W3": 2000000}[name] * scale)
    insert = (f"INSERT INTO openfaith_people (id, {COLUMNS}) SELECT 'person_{SERIAL[0]}_' || i, {VALUES} "
              "FROM generate_series(%s, %s) i")
    db = c.db()
    with db.cursor() as cur:
        cur.execute("SET synchronous_commit = off")
        cur.execute("DO $$ BEGIN " + {
            "W1": f"FOR k IN 0..{rows // 1000 - 1} LOOP {insert % ('k * 1000 + 1', 'k * 1000 + 1000')}; COMMIT; END LOOP;",
            "W2": f"FOR k IN 1..{rows} LOOP {insert % ('k', 'k')}; COMMIT; END LOOP;",
            "W3": f"{insert % ('1', rows)};"}[name] + " END $$")
    db.close()
    c.query("CHECKPOINT")
    return rows


def lsn(c):
    return c.value("SELECT pg_current_wal_insert_lsn()::text")


def copy_slot(c, name):
    c.query("SELECT pg_copy_logical_replication_slot('base', %s)", name)


def recvlogical(c, end):
    copy_slot(c, "peer")
    begin = time.monotonic()
    subprocess.run([f"{c.pg.bin}/pg_recvlogical", "-d", c.pg.url(c.database), "-S", "peer", "--start", "-f", "/dev/null", "-n",
                    "-o", "proto_version=2", "-o", "streaming=on", "-o", "publication_names=openfaith_cdm,openfaith_sync", "-E", end],
                   check=True, timeout=600)
    seconds = time.monotonic() - begin
    c.query("SELECT pg_drop_replication_slot('peer')")
    return seconds


def ours(c, gear, end):
    """(seconds, CPU seconds, peak kB)"""
    copy_slot(c, "run")
    begin = time.monotonic()
    proc = c.add_cdc(OF_SLOT="run", OF_CDC_CATCHUP_BYTES=GEARS[gear])
    wait_until(lambda: c.value("SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots WHERE slot_name = 'run'", end),
               600, "the backlog is read", interval=0.05)
    seconds, cpu, peak = time.monotonic() - begin, proc.cpu_seconds(), proc.peak_rss_kb()
    proc.stop()
    c.query("SELECT pg_drop_replication_slot('run'); DELETE FROM sync.cdc_state WHERE slot = 'run'")
    return seconds, cpu, peak


def measure(c, name, publication, scale):
    if publication == "all":
        c.query("ALTER PUBLICATION openfaith_cdm SET TABLE openfaith_people")
    c.query("SELECT pg_create_logical_replication_slot('base', 'pgoutput')")
    rows = backlog(c, name, scale)
    end = lsn(c)
    c.query("SELECT pg_switch_wal()")
    seconds = recvlogical(c, end)
    figures.line(f"{name} {publication}: pg_recvlogical, no Kafka", f"{rows / seconds / 1000:.0f}k rows/s")
    for gear in GEARS:
        seconds, cpu, peak = ours(c, gear, end)
        goal = GOALS[name, gear]
        figures.line(f"{name} {publication}: {gear}", f"{rows / seconds / 1000:.0f}k rows/s, {cpu / rows * 1e6:.2f} CPU s per million, "
                     f"peak {peak // 1024} MB", f"{goal // 1000}k", rows / seconds >= goal)
    c.query("SELECT pg_drop_replication_slot('base'); TRUNCATE openfaith_people")


def latency(c, seconds):
    """Rows at 1,000 transactions a second; p50 and p99 in ms from the row's clock to LogAppendTime."""
    proc = c.add_cdc()
    proc.wait_log("cdc.gear", 30)
    c.query(f"INSERT INTO openfaith_people (id, {COLUMNS}) SELECT 'person_warm_' || i, {VALUES} FROM generate_series(1, 1000) i")
    time.sleep(3)  # the producer's first messages wait for its connections
    before = time.time() * 1000

    def write(n):
        db = c.db()
        with db.cursor() as cur:
            start = time.monotonic()
            for i in range(int(seconds * 250)):
                cur.execute(f"INSERT INTO openfaith_people (id, {COLUMNS}) SELECT 'person_' || "
                            f"(extract(epoch FROM clock_timestamp()) * 1000000)::bigint || '_{n}', {VALUES} FROM generate_series(1, 1) i")
                ahead = start + i / 250 - time.monotonic()
                if ahead > 0:
                    time.sleep(ahead)
        db.close()
    writers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    time.sleep(2)
    done = subprocess.run(["kcat", "-C", "-b", c.kafka.brokers, "-t", "openfaith.changes", "-o", f"s@{int(before)}", "-e", "-q",
                           "-f", "%T %s\n"], stdout=subprocess.PIPE, timeout=120, check=True)
    found = []
    for line in done.stdout.decode().splitlines():
        ms, payload = line.split(" ", 1)
        ident = payload.split('"id":"person_', 1)[1].split("_", 1)[0]
        found.append(int(ms) + 0.5 - int(ident) / 1000)
    found.sort()
    p50, p99 = found[len(found) // 2], found[len(found) * 99 // 100]
    figures.line(f"row's clock to broker's, {len(found)} rows", f"p50 {p50:.1f} ms, p99 {p99:.1f} ms", "p99 8 ms", p99 <= 8)
    proc.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--backlogs", default="W1,W2,W3")
    parser.add_argument("--publications", default="product,all")
    parser.add_argument("--seconds", type=float, default=10)
    args = parser.parse_args()
    with Cluster("bench-cdc", start=False, sim=False, workers=0, schedulers=0, cdc=0, kafka="real", fast=False, quick=False,
                 log_level="info", kafka_settings={"log.message.timestamp.type": "LogAppendTime"}) as c:
        c.pg.settings.update({"max_wal_size": "16GB", "shared_buffers": "256MB"})
        c.start_servers()
        c.migrate()
        c.query("SELECT pg_drop_replication_slot('openfaith')")
        c.query("INSERT INTO sync.connection (org_id, adapter, mode, types, budget_key) "
                "SELECT 'o' || i, 'pco', 'bidirectional', '{}', i::text FROM generate_series(0, 99) i")
        # Kafka's first seconds are slow: warm it up
        c.query("SELECT pg_create_logical_replication_slot('base', 'pgoutput')")
        backlog(c, "W1", 0.2)
        ours(c, "batches", lsn(c))
        c.query("SELECT pg_drop_replication_slot('base')")
        for publication in args.publications.split(","):
            for name in args.backlogs.split(","):
                measure(c, name, publication, args.scale)
        c.ctl("migrate")
        latency(c, args.seconds)


if __name__ == "__main__":
    main()
