# SPDX-License-Identifier: Apache-2.0
"""Hostile answers cost at most their bad records, which are dead letters with place and cause."""
import subprocess

from harness import Cluster, wait_until
from runner import test

ORG = "hostile-church"
RECORD_FAULTS = ("bad_types", "bad_utf8", "nul_char", "huge_string", "dup_keys", "bad_id", "bad_type_name",
                 "missing_attributes", "deep_nesting")
ANSWER_FAULTS = ("status429", "status500html", "status503", "cut", "repeat_page", "wrong_total", "empty_page", "lost",
                 "truncate_json", "html200")


def dead(c, org=ORG):
    return c.query("SELECT record_type, record_id, place, error, error_class FROM sync.work WHERE org_id = %s AND "
                   "state = 'dead'", org)


@test(timeout=240)
def each_bad_record_alone():
    """One person spoilt for good, in each way: all others arrive, and the bad one is a dead letter that says why."""
    n = len(RECORD_FAULTS)
    with Cluster("bad-record", people=130, orgs=n, workers=2) as c:
        spoilt = {}
        for index, kind in enumerate(RECORD_FAULTS, 1):
            spoilt[kind] = c.sim.dump(index, "Person")[60]["id"]
            c.sim.fault(kind, index, record=f"Person/{spoilt[kind]}")
            c.connect(f"{ORG}-{index}", index, types=["Email"])
        failures = []
        for index, kind in enumerate(RECORD_FAULTS, 1):
            org = f"{ORG}-{index}"
            c.wait_active(org, 60)
            letters = dead(c, org)
            people = c.value("SELECT count(*) FROM sync.external_link WHERE org_id = %s AND external_type = 'Person' AND "
                             "state = 'linked'", org)
            print(kind, people, letters[:3])
            if people < len(c.sim.dump(index, "Person")) - 1:
                failures.append(f"{kind}: only {people} people arrived")
            if kind not in ("huge_string", "missing_attributes", "dup_keys", "nul_char") and not letters:
                failures.append(f"{kind}: no dead letter")
            for letter in letters:
                if not letter[3]:
                    failures.append(f"{kind}: a dead letter without a cause: {letter}")
            if len(letters) > 3:
                failures.append(f"{kind}: {len(letters)} dead letters for one bad record")
            listed = c.ctl_json("dlq", "list")
            if letters and not listed:
                failures.append(f"{kind}: dlq list is empty")
        assert not failures, "\n".join(failures)


@test(timeout=240)
def bad_answers_are_tried_again():
    """Every eleventh answer is spoilt as a whole: both sides are the same at the end."""
    with Cluster("bad-answers", people=600, orgs=len(ANSWER_FAULTS), workers=2) as c:
        for index, kind in enumerate(ANSWER_FAULTS, 1):
            c.sim.fault(kind, index, every=11, after=3, match="/v2/", times=6)
            c.connect(f"{ORG}-{index}", index)
        failures = []
        for index, kind in enumerate(ANSWER_FAULTS, 1):
            org = f"{ORG}-{index}"
            try:
                c.wait_active(org, 90)
                c.settle(org, 60)
                assert not dead(c, org), dead(c, org)[:3]
                c.assert_mirror(org)
            except Exception as failure:  # each kind is told of, not the first alone
                failures.append(f"{kind}: {str(failure)[:1500]}")
        assert not failures, "\n".join(failures)


@test(timeout=120)
def stalled_answers():
    """Answers that begin and do not go on."""
    with Cluster("bad-stall", people=300, workers=2) as c:
        c.sim.fault("stall", 1, every=9, match="/v2/", times=4, delay_ms=20000)
        c.connect(ORG)
        c.wait_active(ORG, 100)
        c.settle(ORG, 60)
        c.assert_mirror(ORG)


@test(timeout=120)
def refused_types_do_not_stop_the_others():
    """403 for a product: its types end as errors with their words, the run still becomes active."""
    with Cluster("bad-denied", people=100, workers=1) as c:
        c.sim.fault("status403", 1, match="/giving/v2/")
        c.connect(ORG)
        status = c.wait_active(ORG, 60)
        states = {item["type"]: item for item in status["entityTypes"]}
        assert "Initial Sync" not in states["Person"]["state"], states["Person"]
        assert states["Fund"]["state"] != states["Person"]["state"], states["Fund"]
        assert states["Fund"]["message"], states["Fund"]
        assert c.value('SELECT count(*) FROM openfaith_people WHERE "orgId" = %s', ORG) == 100
        c.sim.clear_faults()
        c.ctl("sync", ORG, "pco")
        c.wait_active(ORG, 60)
        c.settle(ORG, 60)
        c.assert_mirror(ORG)



@test(timeout=120)
def messages_that_are_no_tasks():
    """What is on a task topic and no task is archived raw, becomes a dead row, and holds nothing up."""
    with Cluster("bad-message", kafka="real", people=50, workers=1) as c:
        for text in (b"{", b"\0\1\2", b'{"v":9}', b'{"v":1,"kind":"phase"}', b"\xff\xfe", b"[" * 5000):
            for topic in ("openfaith.tasks.live", "openfaith.tasks.bulk"):
                subprocess.run(["kcat", "-P", "-b", c.kafka.brokers, "-t", topic, "-k", ORG, "-D", "\x1e"], input=text,
                               check=True, timeout=20)
        c.connect(ORG)
        c.wait_active(ORG, 60)

        def letters():
            return c.query("SELECT record_type, record_id, error FROM sync.work WHERE direction = 'msg' AND state = 'dead'")
        wait_until(lambda: len(letters()) >= 12, 30, "a dead row for each of the 12 messages")
        assert all(row[2] for row in letters()), letters()
        for topic in ("openfaith.tasks.live.dlq", "openfaith.tasks.bulk.dlq"):
            raw = subprocess.run(["kcat", "-C", "-b", c.kafka.brokers, "-t", topic, "-o", "beginning", "-e", "-q", "-f", "%h\\n%s\\n"],
                                 stdout=subprocess.PIPE, check=True, timeout=20).stdout
            assert b'{"v":9}' in raw, raw[:500]
