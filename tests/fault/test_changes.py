# SPDX-License-Identifier: Apache-2.0
"""Changes on their way into sync.work: the worker dies before and after the statement, the statement fails, a record is refused."""
import contextlib
import json
import subprocess

from harness import Cluster
from procs import wait_until
from runner import test

ORG = "changes-fault"
TOPIC = "openfaith.changes"
REFUSE = """
CREATE FUNCTION public.refuse_one() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'not this one' USING ERRCODE = '22023';
END $$;
CREATE TRIGGER refuse_one BEFORE INSERT ON sync.work FOR EACH ROW WHEN (NEW.record_id LIKE '%refused')
    EXECUTE FUNCTION public.refuse_one();
"""


def run(c, sql, *args):
    with contextlib.closing(c.db()) as db, db, db.cursor() as cur:
        cur.execute(sql, args or None)


def produce(c, ids):
    text = "".join(json.dumps({"v": 1, "org": ORG, "table": "openfaith_people", "id": ident, "op": "i", "xid": "5", "sys": "1", "tl": 1,
                               "lsn": "0/1", "at": 1700000000000000, "n": n}, separators=(",", ":")) + "\n"
                   for n, ident in enumerate(ids))
    subprocess.run(["kcat", "-P", "-b", c.kafka.brokers, "-t", TOPIC, "-k", ORG], input=text.encode(), check=True, timeout=60)


def owed(c):
    return {row[0] for row in c.query("SELECT record_id FROM sync.work WHERE org_id = %s AND direction = 'out'", ORG)}


@test(timeout=200)
def nothing_is_lost_on_the_way_in():
    with Cluster("changes-fault", people=50, kafka="real", partitions=2, cdc=0) as c:
        c.connect(ORG)
        c.wait_active(ORG, 60)
        c.settle(ORG, 60)
        c.ctl("pause", ORG, "pco")  # rows stay
        c.workers[0].stop()
        for n, point in enumerate(("worker.before_hint_out=kill@1", "worker.after_hint_out=kill@1")):
            victim = c.add_worker(OF_FAILPOINTS=point)
            victim.killed = True  # its end is wanted
            produce(c, [f"person_{n}_{i}" for i in range(300)])
            wait_until(lambda proc=victim: not proc.alive(), 40, f"the worker dies at {point}")
        c.add_worker(OF_FAILPOINTS="worker.before_hint_out=error@1")
        want = {f"person_{n}_{i}" for n in range(2) for i in range(300)}
        wait_until(lambda: owed(c) == want, 60, "all changes are owed")
        run(c, REFUSE)
        produce(c, ["person_a", "person_refused", "person_b"])
        wait_until(lambda: owed(c) == want | {"person_a", "person_b"}, 30, "the others are owed")
        wait_until(lambda: c.query("SELECT org_id, state FROM sync.work WHERE direction = 'msg' AND record_type = %s", TOPIC) ==
                   [(ORG, "dead")], 30, "one dead letter")
        run(c, "DROP TRIGGER refuse_one ON sync.work; DELETE FROM sync.work WHERE direction IN ('out', 'msg')")
