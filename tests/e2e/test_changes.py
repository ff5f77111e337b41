# SPDX-License-Identifier: Apache-2.0
"""Changes here on their way to what is owed: through the log and Kafka into sync.work, own writes not, floods beside others."""
import contextlib
import json
import subprocess
import time

from harness import Cluster
from procs import wait_until
from runner import test

ORG, OTHER = "changes-1", "changes-2"
TOPIC = "openfaith.changes"
# every hint of a change, with what became of its row
WATCH = """
CREATE TABLE public.seen_hints (at timestamptz DEFAULT clock_timestamp(), org text, record_type text, record_id text, gen bigint);
GRANT ALL ON public.seen_hints TO PUBLIC;
CREATE FUNCTION public.see_hint() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO public.seen_hints (org, record_type, record_id, gen) VALUES (NEW.org_id, NEW.record_type, NEW.record_id, NEW.gen);
    RETURN NEW;
END $$;
CREATE TRIGGER see_hint AFTER INSERT OR UPDATE OF gen ON sync.work FOR EACH ROW
    WHEN (NEW.direction = 'out' AND NEW.reason = 'change') EXECUTE FUNCTION public.see_hint();
"""


def hints(c, org=None):
    return c.query("SELECT record_type, record_id FROM seen_hints WHERE %s::text IS NULL OR org = %s ORDER BY at", org, org)


def run(c, sql, *args):
    with contextlib.closing(c.db()) as db, db, db.cursor() as cur:
        cur.execute(sql, args)


def people(c, org, n):
    return c.query("SELECT entity_id, external_id FROM sync.external_link WHERE org_id = %s AND external_type = 'Person' "
                   "AND state = 'linked' ORDER BY length(external_id), external_id LIMIT %s", org, n)


def rename(c, entity, name):
    run(c, 'UPDATE openfaith_people SET "firstName" = %s, "updatedAt" = now(), "updatedBy" = \'user_1\' WHERE id = %s', name, entity)


def first_name(c, org_index, external):
    return next(r for r in c.sim.dump(org_index, "Person") if r["id"] == external)["attributes"]["first_name"]


def produce(c, org, messages):
    text = "".join(json.dumps(m, separators=(",", ":")) + "\n" for m in messages)
    subprocess.run(["kcat", "-P", "-b", c.kafka.brokers, "-t", TOPIC, "-k", org], input=text.encode(), check=True, timeout=60)


def message(org, ident, table="openfaith_people", op="u", n=0):
    return {"v": 1, "org": org, "table": table, "id": ident, "op": op, "xid": "0" if op == "r" else "5", "sys": "1", "tl": 1,
            "lsn": "0/1", "at": 1700000000000000, "n": n}


@test(timeout=150)
def edits_become_rows_and_own_writes_do_not():
    """A whole first sync leaves no hint behind; an edit leaves one, and arrives; an edit there comes in and does not go back."""
    with Cluster("changes", people=150, kafka="real") as c:
        run(c, WATCH)
        c.connect(ORG)
        c.wait_active(ORG, 60)
        c.settle(ORG, 60)
        time.sleep(1)  # whatever of the sync is still in the log
        assert hints(c) == [], hints(c)[:10]
        (entity, external), (second, second_external) = people(c, ORG, 2)
        rename(c, entity, "Grace")
        wait_until(lambda: first_name(c, 1, external) == "Grace", 20, "the edit at the church")
        assert ("person", entity) in hints(c), hints(c)
        for number, fault in enumerate(("status401", "status429")):  # not carried out: repeated, and only then
            c.sim.fault(fault, 1, match="PATCH", times=1)
            since = len(c.sim.writes(1))
            rename(c, entity, f"Grace {number}")
            wait_until(lambda name=f"Grace {number}": first_name(c, 1, external) == name, 30, f"the edit after {fault}")
            assert [w["status"] for w in c.sim.writes(1)[since:]] == [int(fault[-3:]), 200], c.sim.writes(1)[since:]
        before = len(c.sim.writes(1))
        c.sim.do("PATCH", f"/people/v2/people/{second_external}", {"first_name": "Ada"})
        c.ctl("sync", ORG, "pco")
        wait_until(lambda: c.value('SELECT "firstName" FROM openfaith_people WHERE id = %s', second) == "Ada", 60, "their edit here")
        c.wait_active(ORG, 60)
        c.settle(ORG, 60)
        time.sleep(1)
        assert ("person", second) not in hints(c), hints(c)
        assert len(c.sim.writes(1)) == before, c.sim.writes(1)[before:]


def flood_beside_a_neighbour(records):
    """Twice as many changes of one church are as many messages that end and a row per record; its neighbour's edit, behind them in the
    same partition, arrives meanwhile; a message that is none is put aside."""
    with Cluster("flood", people=100, orgs=2, kafka="real", partitions=1, cdc=0) as c:
        for index, org in enumerate((ORG, OTHER), 1):
            c.connect(org, index)
        for org in (ORG, OTHER):
            c.wait_active(org, 60)
            c.settle(org, 60)
        c.ctl("pause", ORG, "pco")  # its rows stay
        run(c, WATCH)
        produce(c, ORG, [message(ORG, f"person_{n:026d}", op="i", n=n) for n in range(records)] * 2)
        entity, external = people(c, OTHER, 1)[0]
        rename(c, entity, "Grace")
        begin = time.monotonic()
        produce(c, OTHER, [message(OTHER, entity)])
        wait_until(lambda: first_name(c, 2, external) == "Grace", 20 + records / 5000, "the neighbour's edit")
        took = time.monotonic() - begin
        produce(c, ORG, [{"v": 9}])
        wait_until(lambda: c.value("SELECT count(*) FROM sync.work WHERE org_id = %s AND direction = 'out'", ORG) == records, 30,
                   "a row per record")
        wait_until(lambda: c.value("SELECT count(*) FROM sync.work WHERE direction = 'msg' AND state = 'dead' AND record_type = %s",
                                   TOPIC) == 1, 30, "the dead letter")
        wait_until(lambda: c.value("SELECT count(*) FROM seen_hints WHERE org = %s", ORG) == 2 * records, 30, "every message")
        seconds = c.value("SELECT extract(epoch FROM max(at) - min(at))::float8 FROM seen_hints WHERE org = %s", ORG)
        size = max(w.peak_rss_kb() for w in c.workers) // 1024
        print(f"{2 * records} changes in {seconds:.2f} s; the neighbour's edit behind them took {took * 1000:.0f} ms; RSS {size} MB")
        assert size < 200 or records < 100000, f"{size} MB"  # short ones run with sanitizers too
        run(c, "DELETE FROM sync.work WHERE org_id = %s AND direction = 'out'", ORG)


@test(timeout=150)
def a_flood_beside_a_neighbour():
    flood_beside_a_neighbour(10000)


@test(timeout=600, long=True)
def a_million_changes_beside_a_neighbour():
    flood_beside_a_neighbour(500000)
