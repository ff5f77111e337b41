# SPDX-License-Identifier: Apache-2.0
"""The change reader alone, between real Postgres and real Kafka: what is committed arrives, what is rolled back does not, in
order, whatever is killed, in both gears."""
import contextlib
import glob
import json
import os
import random
import re
import shutil
import subprocess
import threading
import time
import urllib.request
from collections import defaultdict

from harness import Cluster, wait_until
from runner import test

WANTED = ("o1", "o2", "o3")
ORGS = WANTED + ("nobody",)
TOPIC = "openfaith.changes"
STREAM, BATCHES, DEFAULT = str(1 << 49), "0", None  # OF_CDC_CATCHUP_BYTES


def cluster(name, settings=None, **more):
    c = Cluster(name, start=False, sim=False, workers=0, schedulers=0, cdc=0, fast=True, **{"kafka": "real", **more})
    c.pg.settings.update({"logical_decoding_work_mem": "64kB", **(settings or {})})  # streams what is larger
    return c


def prepare(c, orgs=WANTED):
    c.start_servers()
    c.migrate()
    c.query("INSERT INTO sync.connection (org_id, adapter, mode, types, budget_key) "
            "SELECT o, 'pco', 'bidirectional', '{}', o FROM unnest(%s) o", list(orgs))


def changes(c):
    """All messages of the topic: (partition, ms, event)."""
    done = subprocess.run(["kcat", "-C", "-b", c.kafka.brokers, "-t", TOPIC, "-o", "beginning", "-e", "-q", "-f", "%p\t%T\t%k\t%s\n"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, check=True)
    out = []
    for line in done.stdout.decode().splitlines():
        partition, ms, key, payload = line.split("\t", 3)
        event = json.loads(payload)
        assert key == event["org"], (key, payload)
        high, low = event["lsn"].split("/")
        event["at_lsn"] = int(high, 16) << 32 | int(low, 16)
        out.append((int(partition), int(ms), event))
    return out


def confirmed(c):
    return c.value("SELECT (confirmed_flush_lsn - '0/0')::bigint FROM pg_replication_slots WHERE slot_name = 'openfaith'")


def wait_read(c, timeout=60):
    """Until all that is committed now is confirmed."""
    mark = c.value("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint")
    wait_until(lambda: (confirmed(c) or 0) >= mark, timeout, "all changes are read", interval=0.1)


def metric(c, proc, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{c.http_port(proc)}/metrics", timeout=30) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
    raise AssertionError(f"no metric {name}")


def wait_nothing_retained(c, most=4 << 20):
    def look():
        c.query("CHECKPOINT")  # tells the decoder which transactions run: only then the slot's beginning moves
        return c.value("SELECT (pg_current_wal_lsn() - restart_lsn)::bigint < %s FROM pg_replication_slots "
                       "WHERE slot_name = 'openfaith'", most)
    wait_until(look, 60, "the slot lets go of the WAL", interval=0.3)


class Writer(threading.Thread):
    """Transactions of all kinds; `expected` says by transaction id what must come of them: {n: (op, table, id)}."""

    def __init__(self, c, seed, big_rows):
        super().__init__(daemon=True)
        self.db = c.db()
        self.db.autocommit = False
        self.random, self.big_rows = random.Random(seed), big_rows
        self.expected, self.alive, self.serial = {}, defaultdict(set), 0
        self.stopping, self.failure, self.bigs = threading.Event(), None, 0

    def run(self):
        try:
            while not self.stopping.is_set():
                kind = self.random.choices((self.small, self.burst, self.savepoints, self.rolled_back, self.ddl, self.keys, self.edges),
                                           (10, 2, 4, 3, 1, 3, 3))[0]
                with self.db.cursor() as cur:
                    kind(cur)
                time.sleep(0.002)
        except Exception as cause:
            self.failure = cause

    # -- what a transaction does, and what is expected of it
    def begin(self, cur):
        cur.execute("SELECT pg_current_xact_id()::text")
        self.xid, self.rows, self.n = cur.fetchone()[0], {}, 0

    def expect(self, org, op, table, ident):
        if org in WANTED:
            self.rows[self.n] = (op, table, ident)
        self.n += 1

    def end(self, commit=True):
        if commit:
            self.db.commit()
            if self.rows:
                self.expected[self.xid] = self.rows
        else:
            self.db.rollback()

    def insert(self, cur, org, counted=True):
        self.serial += 1
        ident = f"person_{self.serial}"
        cur.execute('INSERT INTO openfaith_people (id, "orgId", "createdAt") VALUES (%s, %s, now())', (ident, org))
        if counted:
            self.expect(org, "i", "openfaith_people", ident)
        return ident

    def change(self, cur):
        """An insert, update or delete of one row."""
        org = self.random.choice(ORGS)
        what = self.random.random()
        if what < 0.4 or not self.alive[org]:
            ident = self.insert(cur, org)
            self.alive[org].add(ident)
            # a system is linked to it: else nobody could say whose it was when it is gone
            cur.execute("INSERT INTO sync.external_link (org_id, adapter, external_type, external_id, kind, state, entity_type, entity_id) "
                        "VALUES (%s, 'pco', 'Person', %s, 'entity', 'linked', 'person', %s)", (org, ident, ident))
            return
        ident = self.random.choice(sorted(self.alive[org])[:50])
        if what < 0.9:
            cur.execute("UPDATE openfaith_people SET name = %s WHERE id = %s", (str(what), ident))
            self.expect(org, "u", "openfaith_people", ident)
        else:
            cur.execute("DELETE FROM openfaith_people WHERE id = %s", (ident,))
            self.alive[org].discard(ident)
            self.expect(org, "d", "openfaith_people", ident)

    def small(self, cur, rows=None):
        self.begin(cur)
        for _ in range(rows or self.random.randint(1, 20)):
            self.change(cur)
        self.end()

    def burst(self, cur):
        for _ in range(100):
            self.small(cur, 1)

    def rolled_back(self, cur):
        self.begin(cur)
        rows = self.random.choice((1, 20, 2000))  # the last one streams
        cur.execute('INSERT INTO openfaith_people (id, "orgId", "createdAt") '
                    "SELECT 'person_never_' || %s || '_' || i, 'o1', now() FROM generate_series(1, %s) i", (self.xid, rows))
        self.end(commit=False)

    def savepoints(self, cur):
        """What is released stays, what is rolled back to does not, nested too; large enough to be streamed."""
        self.begin(cur)
        for part in range(self.random.randint(2, 4)):
            cur.execute("SAVEPOINT a")
            keep = self.random.random() < 0.5
            rows = self.random.choice((3, 600))
            cur.execute('INSERT INTO openfaith_emails (id, "orgId", address, "createdAt") '
                        "SELECT 'email_' || %s || '_' || %s || '_' || i, 'o2', 'x', now() FROM generate_series(1, %s) i",
                        (self.xid, part, rows))
            cur.execute("SAVEPOINT b")
            self.insert(cur, "o3", counted=False)
            cur.execute("ROLLBACK TO SAVEPOINT b")
            if keep:
                cur.execute("RELEASE SAVEPOINT a")
                for i in range(1, rows + 1):
                    self.expect("o2", "i", "openfaith_emails", f"email_{self.xid}_{part}_{i}")
            else:
                cur.execute("ROLLBACK TO SAVEPOINT a")
        self.end()

    def ddl(self, cur):
        """Columns come, change their type and go; a table is dropped and created again."""
        self.begin(cur)
        what = self.random.randrange(3)
        cur.execute("ALTER TABLE openfaith_people ADD COLUMN IF NOT EXISTS extra int")
        self.insert(cur, "o1")
        if what == 1:
            cur.execute("ALTER TABLE openfaith_people ALTER COLUMN extra TYPE text")
        elif what == 2:
            cur.execute("ALTER TABLE openfaith_people DROP COLUMN extra")
        self.insert(cur, "o2")
        self.end()

    def keys(self, cur):
        """A row gets another key: the old one is gone, the new one is there."""
        self.begin(cur)
        ident = self.insert(cur, "o1")
        other = ident + "_moved"
        cur.execute("UPDATE openfaith_people SET id = %s WHERE id = %s", (other, ident))
        self.expect("o1", "d", "openfaith_people", ident)
        self.n -= 1  # of one row
        self.rows[self.n + 1] = ("u", "openfaith_people", other)
        self.n += 2
        self.end()

    def edges(self, cur):
        self.begin(cur)
        self.serial += 1
        a, b = f"group_{self.serial}", f"person_{self.serial}"
        cur.execute('INSERT INTO openfaith_edges ("orgId", "sourceEntityId", "sourceEntityTypeTag", "targetEntityId", '
                    '"targetEntityTypeTag", "relationshipType", "createdAt") VALUES (%s, %s, %s, %s, %s, %s, now())',
                    ("o3", a, "group", b, "person", "group_has_person"))
        self.expect("o3", "i", "openfaith_edges", f"{a}|{b}|group_has_person")
        if self.random.random() < 0.5:
            cur.execute('DELETE FROM openfaith_edges WHERE "sourceEntityId" = %s', (a,))
            self.expect("o3", "d", "openfaith_edges", f"{a}|{b}|group_has_person")
        self.end()

    def big(self):
        """One transaction of very many rows, in the midst of which a part is rolled back. After the writer has ended."""
        with self.db.cursor() as cur:
            self.begin(cur)
            self.bigs += 1
            sql = ('INSERT INTO openfaith_phoneNumbers (id, "orgId", "createdAt") SELECT %s || i, \'o1\', now() '
                   "FROM generate_series(%s, %s) i").replace("openfaith_phoneNumbers", '"openfaith_phoneNumbers"')
            half = self.big_rows // 2
            cur.execute(sql, (f"phonenumber_{self.bigs}_", 1, half))
            cur.execute("SAVEPOINT a")
            cur.execute(sql, (f"phonenumber_never_{self.bigs}_", 1, half // 4))
            cur.execute("ROLLBACK TO SAVEPOINT a")
            cur.execute(sql, (f"phonenumber_{self.bigs}_", half + 1, self.big_rows))
            for i in range(1, self.big_rows + 1):
                self.expect("o1", "i", "openfaith_phoneNumbers", f"phonenumber_{self.bigs}_{i}")
            self.end()

    def stop(self):
        self.stopping.set()
        self.join()
        if self.failure:
            raise self.failure


def check_exact(expected, found, starts):
    """starts: (ms, confirmed position) of every start of the reader."""
    got, last, problems, repeats = defaultdict(dict), {}, [], 0
    for partition, ms, event in found:
        place = (event["at_lsn"], event["n"])
        row = (event["op"], event["table"], event["id"])
        if event["n"] in got[event["xid"]]:
            repeats += 1
            if got[event["xid"]][event["n"]] != row:
                problems.append(f"{event} was {got[event['xid']][event['n']]} before")
            since = [lsn for at, lsn in starts if at <= ms + 5]
            if since and event["at_lsn"] < since[-1]:
                problems.append(f"repeated though confirmed: {event}, confirmed {since[-1]}")
            continue
        got[event["xid"]][event["n"]] = row
        if last.get(partition, (0, 0)) > place:
            problems.append(f"out of order in partition {partition}: {event} after {last[partition]}")
        last[partition] = place
    for xid in set(expected) | set(got):
        want, have = expected.get(xid, {}), got.get(xid, {})
        if want != have:
            missing = [item for item in want.items() if have.get(item[0]) != item[1]]
            extra = [item for item in have.items() if want.get(item[0]) != item[1]]
            problems.append(f"transaction {xid}: missing {missing[:3]} ({len(missing)}), too many {extra[:3]} ({len(extra)})")
    assert not problems, f"{len(problems)} problems:\n  " + "\n  ".join(problems[:30])
    return repeats


def exactness(kills, big_rows, seed):
    print(f"seed {seed}")
    chance = random.Random(seed)
    with cluster("cdc-exact", log_level="warn") as c:
        prepare(c)
        writer = Writer(c, seed, big_rows)
        starts, peak, seconds = [], 0, 0
        proc = c.add_cdc(OF_CDC_CATCHUP_BYTES=DEFAULT)
        writer.start()
        for n in range(kills):
            if n == kills // 2:
                c.kafka.restart()
            if n in (kills // 4, kills * 3 // 4):  # a large one while it reads, in each gear
                writer.stop()
                bigger = Writer.__new__(Writer)
                bigger.__dict__.update(writer.__dict__)
                threading.Thread.__init__(bigger, daemon=True)
                bigger.stopping = threading.Event()
                bigger.big()
                writer = bigger
                writer.start()
            pause = chance.uniform(0.02, 0.8)
            time.sleep(pause)
            seconds += pause
            if proc.alive():
                peak = max(peak, proc.peak_rss_kb())
                proc.kill9()
            starts.append((time.time() * 1000, confirmed(c)))
            proc.env["OF_CDC_CATCHUP_BYTES"] = STREAM if n % 2 else BATCHES
            proc.start()
        writer.stop()
        wait_read(c)
        peak = max(peak, proc.peak_rss_kb())
        found = changes(c)
        repeats = check_exact(writer.expected, found, starts)
        wait_nothing_retained(c)
        rows = sum(len(rows) for rows in writer.expected.values())
        print(f"{len(writer.expected)} transactions, {rows} rows, {kills} kills, {repeats} repeats, peak RSS {peak // 1024} MB")
        assert peak <= 96 * 1024, f"RSS {peak} kB"
        proc.killed = False


@test(timeout=240)
def exact():
    """Nothing missing, nothing too many, in order, through 60 kills, one restart of Kafka, both gears."""
    exactness(60, 200000, random.randrange(1 << 30))


@test(timeout=3000, long=True)
def exact_long():
    exactness(500, 2000000, random.randrange(1 << 30))


@test(timeout=90)
def taken_over():
    """Of two copies one reads; when it dies or stops, the other one goes on within seconds. Two readers never publish at once."""
    with cluster("cdc-two", kafka="mock") as c:
        prepare(c)
        first = c.add_cdc()
        first.wait_log("cdc.gear", 20)
        second = c.add_cdc()
        second.wait_log("cdc.waiting", 20)

        def write(n):
            c.query('INSERT INTO openfaith_people (id, "orgId", "createdAt") SELECT \'person_\' || %s || \'_\' || i, \'o1\', now() '
                    "FROM generate_series(1, 100) i", n)
        write(1)
        wait_read(c, 10)
        first.kill9()
        write(2)
        begin = time.monotonic()
        wait_read(c, 10)
        taken = time.monotonic() - begin
        assert taken < 5, f"taken over after {taken:.1f} s"
        first.start()
        first.wait_log("cdc.waiting", 20)
        assert second.stop() == 0
        write(3)
        wait_read(c, 5)
        found = [event["id"] for _, _, event in changes(c)]
        assert len(found) == len(set(found)) == 300, len(found)


@test(timeout=90)
def idle_database():
    """Another database writes, ours does not: the WAL is not held, and nothing is written for it."""
    with cluster("cdc-idle", kafka="mock") as c:
        prepare(c)
        proc = c.add_cdc()
        proc.wait_log("cdc.gear", 20)
        other = c.pg.create_database("busy")
        with contextlib.closing(c.pg.connect(other)) as db, db.cursor() as cur:
            cur.execute("CREATE TABLE t (i int, x text)")
            writes = c.value("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
            for _ in range(10):
                cur.execute("INSERT INTO t SELECT i, repeat('x', 500) FROM generate_series(1, 10000) i")
                time.sleep(0.3)
        assert writes is not None
        wait_nothing_retained(c)
        assert metric(c, proc, "openfaith_cdc_published_total") == 0


@test(timeout=120)
def connections_come_and_go():
    """What nobody wants is dropped, from the commit on that says so."""
    with cluster("cdc-wanted", kafka="mock") as c:
        prepare(c, ("o1",))
        c.add_cdc().wait_log("cdc.gear", 20)

        def write(ident, org):
            c.query('INSERT INTO openfaith_people (id, "orgId", "createdAt") VALUES (%s, %s, now())', ident, org)
        write("person_1", "o1")
        write("person_2", "o2")
        c.query("INSERT INTO sync.connection (org_id, adapter, mode, types) VALUES ('o2', 'pco', 'bidirectional', '{}')")
        write("person_3", "o2")
        c.query("UPDATE sync.connection SET state = 'paused' WHERE org_id = 'o2'")
        write("person_4", "o2")
        c.query("UPDATE sync.connection SET state = 'disconnected' WHERE org_id = 'o2'")
        write("person_5", "o2")
        c.query("TRUNCATE openfaith_emails")
        c.query("DELETE FROM sync.connection WHERE org_id = 'o1'")
        write("person_6", "o1")
        wait_read(c, 10)
        found = [(event["org"], event["op"], event["id"]) for _, _, event in changes(c)]
        assert sorted(found) == [("o1", "i", "person_1"), ("o1", "t", ""), ("o2", "i", "person_3"), ("o2", "i", "person_4")], found


@test(timeout=90)
def delivered_before_visible():
    """A standby does not answer: a connection is in the WAL, but not visible. Its organization's changes are told all the same, also
    by a reader that starts meanwhile."""
    with cluster("cdc-unseen", kafka="mock") as c:
        prepare(c, ("o1",))
        proc = c.add_cdc()
        proc.wait_log("cdc.gear", 20)
        c.query("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        c.query("SELECT pg_reload_conf()")
        wait_until(lambda: c.value("SHOW synchronous_standby_names") == "nobody", 10, "the setting")

        def connect():
            with contextlib.closing(c.db()) as db, db.cursor() as cur:
                cur.execute("SET synchronous_commit = on")
                cur.execute("INSERT INTO sync.connection (org_id, adapter, mode, types) VALUES ('o2', 'pco', 'bidirectional', '{}')")
        waiting = threading.Thread(target=connect, daemon=True)
        waiting.start()

        def write(ident):
            c.query('INSERT INTO openfaith_people (id, "orgId", "createdAt") VALUES (%s, \'o2\', now())', ident)

        def told(ident):
            wait_until(lambda: any(e["id"] == ident for _, _, e in changes(c)), 10, f"{ident} is told", interval=0.3)
        time.sleep(1)
        assert c.value("SELECT count(*) FROM sync.connection") == 1
        write("person_1")
        told("person_1")
        for gear, ident in ((STREAM, "person_2"), (BATCHES, "person_3")):
            proc.kill9()
            proc.env["OF_CDC_CATCHUP_BYTES"] = gear
            proc.start()
            proc.wait_log("cdc.gear", 20)
            write(ident)
            if gear == STREAM:
                told(ident)
        c.query("ALTER SYSTEM RESET synchronous_standby_names")
        c.query("SELECT pg_reload_conf()")
        waiting.join(10)
        told("person_3")
        wait_read(c, 10)


@test(timeout=60)
def settle_waits_for_the_reader():
    """What is committed while no reader runs is owed all the same; where none has ever run nothing is waited for."""
    with cluster("cdc-settle", kafka="mock") as c:
        prepare(c, ("o1",))

        def is_owed():
            told = c.ctl_json("settle", "--timeout", "1", check=False)
            return "changes in the WAL" in {item["what"] for item in told["owed"]}
        assert not is_owed()
        proc = c.add_cdc()
        proc.wait_log("cdc.gear", 20)
        assert proc.stop() == 0
        c.query('INSERT INTO openfaith_people (id, "orgId", "createdAt") VALUES (\'person_1\', \'o1\', now())')
        assert is_owed()
        proc.start()
        wait_read(c)
        wait_until(lambda: not is_owed(), 20, "it is read", interval=0.5)


@test(timeout=120)
def slot_lost():
    """The slot is gone and 0.1 % of the rows changed meanwhile, some deleted: exactly those are told, and at most 1 % of all."""
    rows = 200000
    with cluster("cdc-lost", kafka="mock") as c:
        prepare(c, ("o1",))
        proc = c.add_cdc()
        proc.wait_log("cdc.gear", 20)
        c.query('INSERT INTO openfaith_people (id, "orgId", "createdAt") SELECT \'person_\' || i, \'quiet\', now() '
                "FROM generate_series(1, %s) i", rows)  # of an organization that is connected later: not told now
        c.query("INSERT INTO sync.external_link (org_id, adapter, external_type, external_id, kind, state, entity_type, entity_id) "
                "SELECT 'quiet', 'pco', 'Person', i::text, 'entity', 'linked', 'person', 'person_' || i FROM generate_series(1, %s) i",
                rows)
        c.query("ANALYZE")
        wait_read(c)
        c.query("INSERT INTO sync.connection (org_id, adapter, mode, types) VALUES ('quiet', 'pco', 'bidirectional', '{}')")
        time.sleep(2.5)  # a sample of the horizon is taken each second, and kept once what came before it is confirmed
        c.query("UPDATE openfaith_people SET name = 'before' WHERE id = 'person_1'")
        wait_read(c)
        assert proc.stop() == 0
        c.query("SELECT pg_drop_replication_slot('openfaith')")
        c.query("UPDATE openfaith_people SET name = 'changed' WHERE id IN (SELECT 'person_' || i * 1000 FROM generate_series(1, %s) i)",
                rows // 1000)
        c.query("DELETE FROM openfaith_people WHERE id = 'person_17'")
        c.query('INSERT INTO openfaith_people (id, "orgId", "createdAt") VALUES (\'person_new\', \'quiet\', now())')
        c.ctl("migrate")  # makes the slot, but knows that something is owed
        proc.start()
        proc.wait_log("cdc.repaired", 60)
        c.query("UPDATE openfaith_people SET name = 'after' WHERE id = 'person_2'")
        wait_read(c)
        repaired = {event["id"] for _, _, event in changes(c) if event["op"] == "r"}
        want = {f"person_{i * 1000}" for i in range(1, rows // 1000 + 1)} | {"person_17", "person_new"}
        assert want <= repaired, sorted(want - repaired)[:10]
        assert len(repaired) <= rows // 100, len(repaired)
        assert c.value("SELECT repair IS NULL FROM sync.cdc_state")
        # a table that is dropped and created again is published again, and what it held is found
        c.query("DROP TABLE openfaith_sacraments; CREATE TABLE openfaith_sacraments (LIKE openfaith_qualifications INCLUDING ALL)")
        c.query("ALTER TABLE openfaith_sacraments DROP COLUMN key, DROP COLUMN name, DROP COLUMN description, "
                'ADD COLUMN "administeredBy" text, ADD COLUMN "receivedBy" text, ADD COLUMN "occurredAt" text')
        c.query('INSERT INTO openfaith_sacraments (id, "orgId", type, "createdAt") VALUES (\'sacrament_1\', \'o1\', \'x\', now())')
        proc.stop()
        proc.start()  # it looks at its start, and every minute
        wait_until(lambda: any(e["id"] == "sacrament_1" for _, _, e in changes(c)), 30, "the row of the new table", interval=0.5)
        # another timeline: the slot is not trusted
        c.query("UPDATE sync.cdc_state SET timeline = timeline + 1")
        proc.stop()
        c.query("UPDATE sync.cdc_state SET timeline = 77")
        proc.start()
        proc.wait_log("cdc.repaired", 60)
        wait_read(c)


@test(timeout=90)
def publication_dropped():
    """Somebody drops a publication: it is made anew, the slot too since it cannot be read past the gap, and what changed is found."""
    with cluster("cdc-publication", kafka="mock") as c:
        prepare(c, ("o1",))
        proc = c.add_cdc()
        proc.wait_log("cdc.gear", 20)

        def write(ident):
            c.query('INSERT INTO openfaith_people (id, "orgId", "createdAt") VALUES (%s, \'o1\', now())', ident)

        def told():
            return {event["id"] for _, _, event in changes(c)}
        write("person_1")
        wait_read(c)
        c.query("DROP PUBLICATION openfaith_cdm")
        write("person_2")
        wait_until(lambda: "person_2" in told(), 40, "the change in the gap", interval=0.5)
        write("person_3")
        wait_until(lambda: "person_3" in told(), 10, "the next change", interval=0.3)
        assert c.value("SELECT count(*) FROM pg_publication_tables WHERE pubname = 'openfaith_cdm'") > 10
        wait_read(c)


@test(timeout=120)
def falls_behind_within_a_transaction():
    """The broker is away while transactions of many rows are being read; the reader falls behind and goes on in the other gear, from
    the beginning of what it had half read: nothing is missing, and nothing keeps the last position from being confirmed."""
    with cluster("cdc-behind", kafka="mock", settings={"logical_decoding_work_mem": "64MB"},
                 env={"OF_CDC_IN_FLIGHT": "50", "OF_CDC_CATCHUP_BYTES": str(1 << 20)}) as c:
        prepare(c)
        proc = c.add_cdc()
        proc.wait_log('"state":"stream"', 20)

        def write(name, rows):
            c.query('INSERT INTO openfaith_people (id, "orgId", "createdAt") '
                    "SELECT %s || i, 'o' || 1 + i %% 3, now() FROM generate_series(1, %s) i", f"person_{name}_", rows)
            return {f"person_{name}_{i}" for i in range(1, rows + 1)}
        want = write("before", 1)
        wait_read(c)
        c.kafka.proc.pause()
        want |= write("first", 15000) | write("second", 15000)
        wait_until(lambda: metric(c, proc, "openfaith_cdc_behind_bytes") > 1 << 20, 20, "the reader is behind", interval=0.2)
        c.kafka.proc.resume()
        proc.wait_log('"state":"batches"', 60)
        wait_read(c)
        assert metric(c, proc, "openfaith_cdc_rows_per_second") > 100
        want |= write("after", 1)
        wait_read(c, 20)
        wait_until(lambda: metric(c, proc, "openfaith_cdc_oldest_unconfirmed_seconds") == 0, 10, "nothing is open", interval=0.3)
        found = {event["id"] for _, _, event in changes(c)}
        assert found == want, (len(found), sorted(want - found)[:5])


def told(c, op=None):
    return {event["id"] for _, _, event in changes(c) if op in (None, event["op"])}


@test(timeout=150)
def table_left_out():
    """A table is out of the publication for a while: what is written in it meanwhile is found by comparing, whoever puts that right, when,
    and whether or not a reader runs; also what was written by a transaction that was open then."""
    with cluster("cdc-left-out", kafka="mock") as c:
        prepare(c, ("o1",))
        proc = c.add_cdc(OF_DATABASE_URL=c.create_roles()["openfaith_cdc"])  # may not change publications
        proc.wait_log("cdc.gear", 20)

        def leave_out():
            c.query("ALTER PUBLICATION openfaith_cdm DROP TABLE openfaith_people")

        def write(ident, db=None):
            with contextlib.nullcontext(db) if db else contextlib.closing(c.db()) as to, to.cursor() as cur:
                cur.execute('INSERT INTO openfaith_people (id, "orgId", "createdAt") VALUES (%s, \'o1\', now())', (ident,))

        def found(*idents):
            wait_until(lambda: set(idents) <= told(c), 30, f"{idents} are told", interval=0.5)
        # migrate, while the reader runs; with a transaction that began before
        leave_out()
        write("person_1")
        wait_read(c)
        other = c.db()
        other.autocommit = False
        write("person_2", other)
        assert "tables and columns set" in c.ctl("migrate").stdout
        time.sleep(4)
        assert "person_2" not in told(c)
        other.commit()
        other.close()
        found("person_1", "person_2")
        wait_until(lambda: c.value("SELECT repair IS NULL FROM sync.cdc_state"), 20, "nothing is owed", interval=0.2)
        # migrate, while none runs
        assert proc.stop() == 0
        leave_out()
        write("person_3")
        c.ctl("migrate")
        proc.start()
        found("person_3")
        wait_until(lambda: c.value("SELECT repair IS NULL FROM sync.cdc_state"), 20, "nothing is owed", interval=0.2)
        # its owner, by hand: the reader has seen that it was wrong, also if another one goes on
        assert proc.stop() == 0
        leave_out()
        write("person_4")
        proc.start()
        proc.wait_log("its owner has to run this", 20)
        wait_until(lambda: c.value("SELECT repair ->> 'wait' FROM sync.cdc_state") == "bad", 10, "it is remembered")
        proc.kill9()
        sql = [line for line in proc.log_text().splitlines() if "ALTER PUBLICATION" in line]
        c.query(json.loads(sql[0])["reason"])
        proc.start()
        found("person_4")
        proc.killed = False


@test(timeout=150)
def own_writes():
    """What a worker says that it writes is told nobody, where only its own system is connected; what a trigger writes in the same
    transaction is, and everything where another system is connected too. In both gears, streamed or not; a savepoint that is rolled back takes
    its words with it."""
    for gear in (STREAM, BATCHES):
        with cluster("cdc-own", kafka="mock") as c:
            prepare(c, ("o1", "o2"))
            c.query("INSERT INTO sync.connection (org_id, adapter, mode, types, budget_key) VALUES ('o2', 'pco2', 'bidirectional', '{}', 'b')")
            proc = c.add_cdc(OF_CDC_CATCHUP_BYTES=gear)
            proc.wait_log("cdc.gear", 20)
            with contextlib.closing(c.db()) as db, db.cursor() as cur:
                db.autocommit = False

                def people(org, *idents):
                    cur.execute('INSERT INTO openfaith_people (id, "orgId", "createdAt") SELECT i, %s, now() FROM unnest(%s) i',
                                (org, list(idents)))

                def edge(org, *ends):
                    cur.execute('INSERT INTO openfaith_edges ("orgId", "sourceEntityId", "sourceEntityTypeTag", "targetEntityId", '
                                '"targetEntityTypeTag", "relationshipType", "createdAt") VALUES (%s, %s, \'email\', %s, \'person\', '
                                "'email_has_person', now())", (org, *ends))

                def say(*idents, prefix="openfaith-sync"):
                    cur.execute("SELECT pg_logical_emit_message(true, %s, %s)", (prefix, "\n".join(("pco", *idents))))
                for org in ("o1", "o2"):
                    say(f"{org}-own", f"{org}-email")
                    people(org, f"{org}-own", f"{org}-triggered")
                    edge(org, f"{org}-email", f"{org}-other")
                    edge(org, f"{org}-second", f"{org}-other")
                    db.commit()
                say("o1-early", prefix="somebody-else")
                people("o1", "o1-early")  # not said by us, nor in the transaction after one that said something
                db.commit()
                cur.execute("SAVEPOINT a")
                say("o1-undone")
                cur.execute("ROLLBACK TO a")
                people("o1", "o1-undone")
                db.commit()
                say(*(f"o1-many-{i}" for i in range(3000)))
                cur.execute("SAVEPOINT a")
                say("o1-big-undone")
                cur.execute("ROLLBACK TO a")
                people("o1", *(f"o1-many-{i}" for i in range(3000)), "o1-big-undone", "o1-big-triggered")
                db.commit()
            wanted = {"o1-triggered", "o1-second|o1-other|email_has_person", "o1-early", "o1-undone", "o1-big-undone", "o1-big-triggered",
                      "o2-own", "o2-triggered", "o2-email|o2-other|email_has_person", "o2-second|o2-other|email_has_person"}
            wait_until(lambda: "o1-big-triggered" in told(c), 30, "all is told", interval=0.5)
            assert told(c) == wanted, (gear, told(c) ^ wanted)
            assert metric(c, proc, "openfaith_cdc_own_total") == 3002


@test(timeout=120)
def relations_lost():
    """The slot is gone, and edges that say a relation were deleted meanwhile, which leaves no row and no link behind: the record whose
    relation it was is told, others are not. What is owed from a horizon of another timeline is all."""
    with cluster("cdc-relations", kafka="mock") as c:
        prepare(c, ("o1",))
        proc = c.add_cdc()
        proc.wait_log("cdc.gear", 20)
        c.query('INSERT INTO openfaith_people (id, "orgId", "createdAt") SELECT \'person_\' || i, \'o1\', now() FROM generate_series(1, 9) i')
        c.query("INSERT INTO sync.external_link (org_id, adapter, external_type, external_id, kind, state, entity_type, entity_id) "
                "SELECT 'o1', 'pco', 'Person', i::text, 'entity', 'linked', 'person', 'person_' || i FROM generate_series(1, 9) i")
        # 1: has it still, 2 and 3: had it (3: agreed only), 4: was agreed to have none
        c.query("INSERT INTO sync.base (org_id, link_id, seen, agreed) SELECT 'o1', id, "
                "CASE WHEN external_id = '3' THEN '{}' ELSE '{\"_rel\": {\"one\": \"Person/9\"}}' END::jsonb, "
                "CASE external_id WHEN '3' THEN '{\"_rel\": {\"one\": \"Person/9\"}}' "
                "WHEN '4' THEN '{\"_rel\": {\"one\": null}}' END::jsonb FROM sync.external_link WHERE external_id <= '4'")
        c.query('INSERT INTO openfaith_edges ("orgId", "sourceEntityId", "sourceEntityTypeTag", "targetEntityId", "targetEntityTypeTag", '
                '"relationshipType", "createdAt") SELECT \'o1\', \'person_\' || i, \'person\', \'person_9\', \'person\', '
                "'person_has_one', now() FROM generate_series(1, 3) i")
        time.sleep(2.5)
        c.query("UPDATE openfaith_people SET name = 'x' WHERE id = 'person_8'")  # may be told: it is near the horizon
        wait_read(c)
        assert proc.stop() == 0
        c.query("SELECT pg_drop_replication_slot('openfaith')")
        c.query("DELETE FROM openfaith_edges WHERE \"sourceEntityId\" IN ('person_2', 'person_3')")
        proc.start()
        proc.wait_log("cdc.repaired", 60)
        wait_read(c)
        assert told(c, "r") - {"person_8"} == {"person_2", "person_3"}, told(c, "r")
        # of another timeline a horizon says nothing
        assert proc.stop() == 0
        c.query("UPDATE sync.cdc_state SET timeline = 77, repair = '{\"horizon\": \"4000000000\"}'")
        proc.start()
        proc.wait_log("cdc.repaired", 60)
        assert told(c, "r") >= {f"person_{i}" for i in range(1, 10)}, told(c, "r")


@test(timeout=90)
def repair_asked_anew():
    """Asked for while the first page of a repair is on its way, a repair begins anew."""
    with cluster("cdc-anew", kafka="mock") as c:
        prepare(c, ("o1",))
        proc = c.add_cdc()
        proc.wait_log("cdc.gear", 20)
        c.query('INSERT INTO openfaith_people (id, "orgId", "createdAt") VALUES (\'person_1\', \'o1\', now())')
        wait_read(c)
        c.kafka.proc.pause()
        c.query("UPDATE sync.cdc_state SET repair = '{}'")
        wait_until(lambda: c.value("SELECT repair ->> 'step' FROM sync.cdc_state") == "0", 20, "it has begun", interval=0.1)
        time.sleep(1)
        c.query("UPDATE sync.cdc_state SET repair = '{}'")
        c.kafka.proc.resume()
        proc.wait_log("cdc.repaired", 30)
        found = [event["id"] for _, _, event in changes(c) if event["op"] == "r"]
        assert found == ["person_1"] * 2, found


@test(timeout=150)
def broker_away_until_the_slot_is_lost():
    """The broker does not answer: the reader says what holds the WAL and when the slot will be lost. It is lost; then, with the
    broker, the reader makes it anew and finds what nobody read."""
    with cluster("cdc-away", kafka="mock", settings={"max_slot_wal_keep_size": "64MB", "max_wal_size": "64MB", "min_wal_size": "32MB"},
                 env={"OF_CDC_IN_FLIGHT": "10"}) as c:
        prepare(c, ("o1",))
        proc = c.add_cdc()
        proc.wait_log("cdc.gear", 20)

        def write(ident):
            c.query('INSERT INTO openfaith_people (id, "orgId", "createdAt") VALUES (%s, \'o1\', now())', ident)
        write("person_0")
        wait_read(c)
        c.query("CREATE TABLE noise (x text)")
        c.kafka.proc.pause()
        for i in range(1, 100):
            write(f"person_{i}")
        until = time.monotonic() + 60
        while time.monotonic() < until and not (
                metric(c, proc, 'openfaith_cdc_held{by="broker"}') == 1 and metric(c, proc, "openfaith_cdc_hours_until_lost") < 10):
            c.query("INSERT INTO noise SELECT repeat('x', 1000) FROM generate_series(1, 500) i")
            time.sleep(0.5)
        assert metric(c, proc, 'openfaith_cdc_held{by="broker"}') == 1
        assert metric(c, proc, "openfaith_cdc_hours_until_lost") < 10
        assert metric(c, proc, "openfaith_cdc_oldest_unconfirmed_seconds") > 5
        assert metric(c, proc, "openfaith_cdc_in_flight") <= 10

        def lost():
            c.query("INSERT INTO noise SELECT repeat('x', 1000) FROM generate_series(1, 20000) i")
            c.query("CHECKPOINT")
            return c.value("SELECT coalesce(bool_and(wal_status = 'lost'), false) FROM pg_replication_slots")
        wait_until(lost, 40, "the slot is lost")
        c.kafka.proc.resume()
        proc.wait_log("cdc.repaired", 60)
        write("person_after")
        want = {f"person_{i}" for i in range(100)} | {"person_after"}
        wait_until(lambda: want <= {event["id"] for _, _, event in changes(c)}, 30, "all are told", interval=0.5)


@test(timeout=150)
def changes_lost_in_the_broker():
    """The broker loses a topic: changes are gone before a worker has read them: it asks for a repair, and what they said is told again."""
    with Cluster("cdc-topic", people=60, kafka="real") as c:
        c.connect("church")
        c.wait_active("church", 60)
        c.settle("church", 60)
        worker = c.workers[0]
        ident = c.value("SELECT entity_id FROM sync.external_link WHERE external_type = 'Person' AND state = 'linked' LIMIT 1")
        c.query('UPDATE openfaith_people SET "updatedAt" = now() WHERE id = %s', ident)
        c.settle("church", 60)  # and so has the worker an offset in the topic
        worker.stop()
        c.query('UPDATE openfaith_people SET "updatedAt" = now() WHERE id = %s', ident)
        wait_read(c)
        c.kafka.stop()
        for folder in glob.glob(f"{c.kafka.root}/data/{TOPIC}-*"):
            shutil.rmtree(folder)
        c.kafka.start()
        assert not changes(c)
        worker.start()
        worker.wait_log("intake.out_of_range", 30)
        c.cdcs[0].wait_log("cdc.repaired", 30)
        assert ident in {event["id"] for _, _, event in changes(c) if event["op"] == "r"}
        c.settle("church", 60)
        c.assert_nothing_owed("church")
