# SPDX-License-Identifier: Apache-2.0
"""People work on both sides at once: in the end both say the same."""
import os

from churn import DELETING, Churn
from harness import Cluster
from procs import wait_until
from runner import test

ORG = "both-church"
SEED = int(os.environ.get("OF_SEED", "5"))


def quiet(c):
    """All that was changed here has become work, and the work is done."""
    last = c.value("SELECT pg_current_wal_insert_lsn()::text")
    wait_until(lambda: c.value("SELECT coalesce(bool_and(confirmed_flush_lsn >= %s::pg_lsn), false) FROM pg_replication_slots", last),
               30, "the change reader has passed the last edit")
    c.settle(ORG, 90)


@test(timeout=180)
def small():
    """100 edits on each side (OF_SEED=… replays), then all is read again: equal, nothing twice; once more: nothing is sent."""
    print(f"seed {SEED}")
    with Cluster("both", people=80) as c:
        c.connect(ORG)
        c.wait_active(ORG, 90)
        c.settle(ORG)
        ours = Churn(c.db, ORG, SEED)
        for _ in range(5):
            ours.step(20, DELETING)
            c.sim.edits("mixed", 20)
        quiet(c)
        c.ctl("sync", ORG, "pco")
        c.wait_active(ORG, 90)
        quiet(c)
        c.assert_same(ORG)
        sent = c.sim.stats(1)["writes"]
        assert sent > 50, sent
        c.ctl("sync", ORG, "pco")
        c.wait_active(ORG, 90)
        quiet(c)
        c.assert_same(ORG)
        late = [(w["method"], w["target"], w["status"]) for w in c.sim.writes(1)[sent:]]
        assert not late, late
