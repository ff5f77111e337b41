# SPDX-License-Identifier: Apache-2.0
"""Servers that go away and come back: the sync ends by itself, and an outage makes no dead letters."""
import os
import random
import time

from harness import Cluster, wait_until
from runner import test

ORG = "outage-church"
LONG = bool(os.environ.get("OF_TEST_LONG"))


def finish(cluster, timeout=180):
    cluster.wait_active(ORG, timeout)
    cluster.settle(ORG, 120)
    dead = cluster.query("SELECT * FROM sync.work WHERE state = 'dead'")
    assert not dead, f"dead letters of an outage: {dead[:5]}"
    cluster.assert_nothing_owed(ORG)
    cluster.assert_mirror(ORG)
    for proc in cluster.programs():
        assert proc.alive(), f"{proc.name} ended with {proc.popen.returncode}"


def wait_moving(cluster, share=0.1):
    """Until a good part has been read."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        n = cluster.value("SELECT count(*) FROM sync.external_link WHERE org_id = %s", ORG)
        if n > share * 1500:
            return
        time.sleep(0.1)
    raise AssertionError("the sync did not begin")


@test(timeout=300)
def kafka_away():
    with Cluster("outage-kafka", kafka="real", people=1500, workers=2, latency_ms=80) as c:
        c.connect(ORG)
        wait_moving(c)
        c.kafka.stop()
        time.sleep(20 if LONG else 12)
        c.kafka.start()
        finish(c)


@test(timeout=300)
def kafka_killed():
    with Cluster("outage-kafka-kill", kafka="real", people=1500, workers=2, latency_ms=80) as c:
        c.connect(ORG)
        wait_moving(c)
        c.kafka.kill()
        time.sleep(3)
        c.kafka.start()
        finish(c)


@test(timeout=300)
def postgres_restarts():
    """Twice, once in good order (fast), once as after a crash (immediate)."""
    with Cluster("outage-pg", kafka="real", people=1500, workers=2, latency_ms=80, fast=False) as c:
        c.connect(ORG)
        wait_moving(c)
        c.pg.restart("fast")
        time.sleep(3)
        c.pg.stop("immediate")
        time.sleep(4)
        c.pg.start()
        finish(c)


@test(timeout=300)
def postgres_crashes_often():
    """Many times in the midst of transactions and commits, whose answers are lost."""
    dice = random.Random(11)
    with Cluster("outage-pg-often", kafka="real", people=2000, workers=2, schedulers=2, latency_ms=80, fast=False) as c:
        c.connect(ORG)
        wait_moving(c, 0.05)
        for _ in range(20 if LONG else 6):
            time.sleep(dice.uniform(0.2, 2))
            c.pg.stop("immediate")
            c.pg.start()
        finish(c)


@test(timeout=300)
def chms_silent_then_503():
    """No answer at all for a while, then 503 for a while (long: a minute each)."""
    pause = 60 if LONG else 15
    with Cluster("outage-chms", kafka="real", people=1500, workers=2, latency_ms=80) as c:
        c.connect(ORG)
        wait_moving(c)
        c.sim.proc.pause()
        time.sleep(pause)
        c.sim.proc.resume()
        time.sleep(1)
        c.sim.fault("status503")
        time.sleep(pause)
        c.sim.clear_faults()
        finish(c)


@test(timeout=300)
def breaker_parks_and_resumes():
    """A system that fails alike again and again: the connection is parked with its reason, probed, and goes on by itself."""
    with Cluster("outage-breaker", kafka="mock", people=300, workers=1, env={"OF_BREAKER_FAILURES": 4}) as c:
        c.sim.fault("status503")
        c.connect(ORG)
        wait_until(lambda: c.value("SELECT count(*) FROM sync.connection WHERE reason LIKE '%% failures in a row: %%'"), 60,
                   what="a parked connection")
        c.sim.clear_faults()
        finish(c)
