# SPDX-License-Identifier: Apache-2.0
"""Workers come and go every few seconds during a sync: nothing is applied by two at once, and it ends."""
import concurrent.futures
import os
import random
import time

from harness import Cluster, wait_until
from runner import test

ORGS = 6


@test(timeout=400)
def workers_come_and_go():
    rounds = 60 if os.environ.get("OF_TEST_LONG") else 10
    dice = random.Random(3)
    with Cluster("rebalance", kafka="real", people=600, orgs=ORGS, workers=2, schedulers=2, latency_ms=80) as c:
        for index in range(1, ORGS + 1):
            c.connect(f"org-{index}", index)
        for _ in range(rounds):
            time.sleep(dice.uniform(0.5, 3))
            idle = [proc for proc in c.workers if not proc.alive()]
            if len(c.workers) < 4:
                c.add_worker()
            elif idle and dice.random() < 0.6:
                dice.choice(idle).start()
            else:
                running = [proc for proc in c.workers if proc.alive()]
                if len(running) > 1:
                    victim = dice.choice(running)
                    code = victim.stop(20)
                    assert code == 0, f"{victim.name} ended with {code} on SIGTERM"
        if not any(proc.alive() for proc in c.workers):
            c.workers[0].start()
        for index in range(1, ORGS + 1):
            c.wait_active(f"org-{index}", 120)
        c.settle(timeout=120)
        c.assert_nothing_owed()
        for index in range(1, ORGS + 1):
            c.assert_mirror(f"org-{index}")
        # a phase's step that two had done at once would have been applied and journalled twice
        doubled = c.query("SELECT org_id, external_type, external_id, count(*) FROM sync.journal WHERE rule = 'create' "
                          "GROUP BY 1, 2, 3 HAVING count(*) > 1 LIMIT 5")
        assert not doubled, doubled


@test(timeout=300)
def no_phase_is_left_behind():
    """Workers come and go while many churches sync: no phase waits for the scheduler's look at what has stalled."""
    orgs = 100
    with Cluster("left-behind", kafka="real", people=40, orgs=orgs, workers=1, latency_ms=100, env={"OF_STALLED_MS": 600000}) as c:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda index: c.connect(f"org-{index}", index), range(1, orgs + 1)))
        for _ in range(3):
            c.add_worker()
            time.sleep(1.5)
            assert c.workers[0].stop(20) == 0
            time.sleep(1.5)
            c.workers[0].start()
        wait_until(lambda: c.value("SELECT count(*) FROM sync.run WHERE state <> 'done'") == 0, 90, "all churches active", 0.5)
        c.settle(timeout=60)
