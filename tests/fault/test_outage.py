# SPDX-License-Identifier: Apache-2.0
"""An hour without Planning Center, with people at work on both sides: no dead letter, it goes on by itself, both say the same."""
import os
import threading
import time

from churn import Churn
from harness import Cluster
from procs import wait_until
from runner import test

ORG = "hour-church"
SCALE = float(os.environ.get("OF_TEST_OUTAGE_SCALE", "120"))  # all times of the programs and of the outage are so much shorter
HOUR_S = 3600 / SCALE
SEED = int(os.environ.get("OF_TEST_SEED", "31"))
EDITS = 5000
# the programs' defaults, in ms; leases and the session are those of the harness: no clock of the outage depends on them
TIMES = {"OF_BACKOFF_MS": 1000, "OF_BACKOFF_MAX_MS": 300000, "OF_WAITING_RECHECK_MS": 600000, "OF_SECOND_LOOK_MS": 600000,
         "OF_STALLED_MS": 300000, "OF_PROBE_MS": 60000, "OF_POLL_LATE_MS": 300000, "OF_PUSH_LOOK_MS": 10000}
# of 100 edits at the church
THERE = {"edit": 45, "add": 6, "edit_contact": 17, "add_contact": 8, "edit_datum": 12, "edit_household": 6, "add_donation": 4,
         "edit_donation": 2}


def scaled():
    return {name: max(1 if name == "OF_BACKOFF_MS" else 50, int(ms / SCALE)) for name, ms in TIMES.items()}


def work_there(c, edits):
    """People at the church go on by its own pages, which the API's outage does not touch."""
    begin = time.monotonic()
    for n in range(50):
        for op, weight in THERE.items():
            c.sim.edits(op, edits * weight // 5000)
        if n % 5 == 0:  # few enough that nobody has to be asked about a large share
            c.sim.edits("delete", 1)
            c.sim.edits("merge", 1)
            c.sim.edits("delete_contact", 1)
        time.sleep(max(0.0, begin + (n + 1) * HOUR_S * 0.8 / 50 - time.monotonic()))


def dead(c):
    return c.query("SELECT direction, record_type, record_id, error FROM sync.work WHERE state = 'dead' LIMIT 10")


def resumed(c, after):
    """By itself: connected, and polled since."""
    return c.value("SELECT c.state = 'connected' AND s.polled > %s FROM sync.connection c JOIN sync.schedule s USING (org_id, adapter) "
                   "WHERE c.org_id = %s AND s.kind = 'poll'", after, ORG)


@test(timeout=600)
def an_hour_with_5000_edits_on_each_side():
    print(f"seed {SEED} (OF_TEST_SEED replays it), an hour is {HOUR_S:.0f} s (OF_TEST_OUTAGE_SCALE)")
    with Cluster("outage-hour", kafka="real", people=600, workers=2, latency_ms=5, env=scaled()) as c:
        c.connect(ORG, kind="oauth")
        c.wait_active(ORG, 120)
        c.settle(ORG, 120)
        c.ctl("set", ORG, "pco", "--poll", max(1, int(900 / SCALE)))
        began = time.monotonic()
        kinds = (("hang", {"delay_ms": 20000}), ("status500html", {}), ("status503", {}), ("lost", {"match": "GET"}))
        c.sim.fault("hang", 1, delay_ms=20000)
        there = threading.Thread(target=work_there, args=(c, EDITS))
        there.start()
        ours, faults, parked = Churn(c.db, ORG, SEED), 1, False
        for n in range(EDITS // 50):
            ours.step(50)
            part = min(int((time.monotonic() - began) / HOUR_S * len(kinds)), len(kinds) - 1)
            if part >= faults:  # each part of the hour is away in another way
                c.sim.clear_faults()
                kind, options = kinds[part]
                c.sim.fault(kind, 1, **options)
                faults = part + 1
            parked = parked or bool(c.value("SELECT state = 'parked' FROM sync.connection WHERE org_id = %s", ORG))
            time.sleep(max(0.0, began + (n + 1) * HOUR_S * 0.9 / (EDITS // 50) - time.monotonic()))
        there.join()
        time.sleep(max(0.0, began + HOUR_S - time.monotonic()))
        assert not dead(c), dead(c)
        written = len(c.sim.writes(1))
        back = c.value("SELECT now()")
        c.sim.clear_faults()
        begin = time.monotonic()
        wait_until(lambda: resumed(c, back), 120, "it goes on by itself", 0.2)
        took = time.monotonic() - begin
        c.settle(ORG, 240)
        c.ctl("poll", ORG, "pco")  # the last of their edits may be younger than what a poll passes
        c.ctl("reconcile", ORG, "pco")
        c.settle(ORG, 240)
        assert not dead(c), dead(c)
        c.assert_same(ORG)
        print(f"{len(ours.done)} edits here, {EDITS} there, away for {HOUR_S:.0f} s ({'parked' if parked else 'not parked'}); polled again "
              f"{took:.1f} s after, {len(c.sim.writes(1)) - written} writes; all the same {time.monotonic() - begin:.1f} s after")
