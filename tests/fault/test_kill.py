# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments and at every step of a task; a process that sleeps longer than all its leases."""
import os
import random
import re
import time

from harness import ACTIVE, Cluster, HarnessError, wait_until
from runner import test

ORG = "kill-church"
LONG = bool(os.environ.get("OF_TEST_LONG"))

WORKER_POINTS = ("worker.before_seq", "worker.after_seq", "worker.before_produce", "worker.after_produce",
                 "worker.after_emitted", "worker.before_commit_offset", "worker.after_commit_offset")
WORK_POINTS = ("worker.after_claim", "worker.before_done", "worker.after_done")
REFRESH_POINTS = ("worker.refresh_before_store", "worker.refresh_after_store")
SCHEDULER_POINTS = ("scheduler.after_claim", "scheduler.after_produce", "scheduler.after_move")


def finish(cluster, org=ORG, timeout=240):
    cluster.wait_active(org, timeout)
    cluster.settle(org, 120)
    cluster.assert_nothing_owed(org)
    cluster.assert_mirror(org)


def random_kills(cluster, count, seed, pause=(0.05, 1.2)):
    """Kills and restarts random programs; starts the sync anew whenever it has come to its end."""
    dice = random.Random(seed)
    kills = rounds = 0
    while kills < count:
        time.sleep(dice.uniform(*pause))
        victim = dice.choice(cluster.programs())
        victim.kill9()
        victim.start()
        kills += 1
        if kills % 5 == 0 and cluster.status(ORG)["state"] == ACTIVE:
            rounds += 1
            cluster.ctl("sync", ORG, "pco")
    return rounds


@test(timeout=600)
def random_moments():
    """40 kills (long: 500) of random programs in one sync under load."""
    count, seed = (500, 77) if LONG else (40, int(os.environ.get("OF_TEST_SEED", "7")))
    with Cluster("kill", kafka="real", people=3000, workers=3, schedulers=2, latency_ms=60) as c:
        c.connect(ORG)
        rounds = random_kills(c, count, seed)
        print(f"{count} kills, seed {seed}, {rounds} times the sync was through before")
        finish(c)


@test(timeout=600, long=True)
def random_moments_500():
    with Cluster("kill-long", kafka="real", people=6000, workers=3, schedulers=2, latency_ms=60) as c:
        c.connect(ORG)
        random_kills(c, 500, 500)
        finish(c)


def kill_at(cluster, index, point, nth, role, kind="pat", prepare=None):
    """One org's sync with a program that dies at the nth passing of a point, and is replaced."""
    org = f"point-{index}"
    options = {"OF_FAILPOINTS": f"{point}=kill@{nth}"}
    others = cluster.workers if role == "worker" else cluster.schedulers
    for proc in others:
        if proc.alive():
            proc.stop(15)
    victim = cluster.add_worker(**options) if role == "worker" else cluster.add_scheduler(**options)
    victim.killed = True  # its end is wanted
    cluster.connect(org, org_index=index, kind=kind)
    if prepare:
        prepare(index)
    try:
        code = victim.wait(60)
    except HarnessError:
        raise AssertionError(f"{point}@{nth} was never passed") from None
    assert code == -9, f"{point}: ended with {code}"
    if role == "worker":
        cluster.add_worker()
    else:
        cluster.add_scheduler()
    finish(cluster, org, 90)


def matrix(name, points, role, nths=(1, 3), **options):
    runs = [(point, nth) for point in points for nth in nths]
    # slices so short that a phase takes several
    with Cluster(name, kafka="real", people=60, orgs=len(runs), workers=0, schedulers=0, latency_ms=20,
                 worker_env={"OF_SLICE_MS": 30}) as c:
        if role == "worker":
            c.add_scheduler()
        else:
            c.add_worker()
        failures = []
        for index, (point, nth) in enumerate(runs, 1):
            begin = time.monotonic()
            try:
                kill_at(c, index, point, nth, role, **options)
                print(f"{point}@{nth}: {time.monotonic() - begin:.1f} s")
            except (AssertionError, HarnessError) as failure:
                failures.append(f"{point}@{nth}: {failure}")
                print(failures[-1][:2000])
        assert not failures, "\n".join(failures)


@test(timeout=400)
def worker_points():
    """Between the steps of a phase's task."""
    matrix("kill-worker", WORKER_POINTS, "worker")


@test(timeout=300)
def work_points():
    """Between the steps of a sync.work row (household members are read that way)."""
    matrix("kill-work", WORK_POINTS, "worker")


@test(timeout=300)
def scheduler_points():
    matrix("kill-scheduler", SCHEDULER_POINTS, "scheduler", nths=(1, 2))


@test(timeout=300)
def refresh_points():
    """While an OAuth token is refreshed: the access token is dead from the start."""
    with Cluster("kill-refresh", kafka="real", people=60, orgs=len(REFRESH_POINTS), workers=0, schedulers=1) as c:
        for index, point in enumerate(REFRESH_POINTS, 1):
            c.sim.post("/_sim/expire", {"org": index})
            kill_at(c, index, point, 1, "worker", kind="oauth")


@test(timeout=200)
def last_row_done():
    """Whoever has worked off the last row of a run dies before the run is ended: no phase and no row is left to tell of it."""
    with Cluster("kill-last", kafka="real", people=60, workers=0) as c:
        victim = c.add_worker(OF_FAILPOINTS="worker.before_run_end=kill@1", OF_WAITING_RECHECK_MS=600000)
        victim.killed = True  # its end is wanted
        c.connect(ORG)
        wait_until(lambda: c.value("SELECT count(*) FROM sync.external_link WHERE external_type = 'Person'"), 30, "people")
        # the run ends with a row, not with a phase
        c.query("INSERT INTO sync.work (org_id, adapter, direction, record_type, record_id, reason, due_at) SELECT org_id, adapter, "
                "'in', external_type, external_id, 'read again', now() + interval '6 seconds' FROM sync.external_link "
                "WHERE external_type = 'Person' LIMIT 1 RETURNING 1")
        assert victim.wait(60) == -9
        phases = c.query("SELECT external_type, step FROM sync.phase WHERE step NOT IN ('done', 'error')")
        assert not phases, phases
        assert not c.query("SELECT FROM sync.work WHERE priority = 0")
        c.add_worker()
        finish(c)


@test(timeout=200)
def writes_fail():
    """Pages that cannot be written are read again: those that had come meanwhile do not stand for what was before them."""
    with Cluster("kill-write", kafka="real", people=2500, workers=0) as c:
        c.add_worker(OF_FAILPOINTS="worker.stage_write=sleep:400," + ",".join(f"worker.stage_write=error@{n}"
                                                                           for n in (1, 2, 4, 5, 6, 9, 10)))
        c.connect(ORG, types=["Person"])
        finish(c)
        single = [e["target"] for e in c.sim.requests(1) if re.match(r"/people/v2/people/\d+", e["target"])]
        assert not single, f"{len(single)} records were missed by the listing, found later one by one: {single[:3]}"


@test(timeout=300)
def stopped_for_long():
    """A worker that sleeps longer than its leases and its session, then goes on, changes nothing."""
    with Cluster("kill-stop", kafka="real", people=1500, workers=2, latency_ms=60) as c:
        c.connect(ORG)
        time.sleep(2.5)
        for round_ in range(2):
            sleeper = c.workers[round_ % 2]
            sleeper.pause()
            time.sleep(9)
            sleeper.resume()
            time.sleep(1)
        finish(c)
        sleeper.stop(15)


@test(timeout=200)
def sigterm_drains():
    """SIGTERM in the midst of work: exit 0 within the deadline, nothing waits for a lease afterwards."""
    with Cluster("kill-term", kafka="real", people=1500, workers=2, latency_ms=60) as c:
        c.connect(ORG)
        for _ in range(4):
            time.sleep(1.5)
            victim = c.workers[0]
            begin = time.monotonic()
            code = victim.stop(15)
            assert code == 0, f"exit {code}"
            assert time.monotonic() - begin < 11, "the drain took longer than OF_DRAIN_MS allows"
            victim.start()
        finish(c)


@test(timeout=120)
def sigterm_gives_rows_back():
    """Rows of sync.work that a worker had when it was asked to end are anybody's at once."""
    with Cluster("kill-term-rows", kafka="real", people=500, workers=1, latency_ms=300,
                 env={"OF_LEASE_MS": 60000}) as c:
        c.connect(ORG)
        leased = "SELECT count(*) FROM sync.work WHERE state = 'leased'"
        wait_until(lambda: c.value(leased) > 3, 60, "rows at work", interval=0.02)
        assert c.workers[0].stop(15) == 0
        assert c.value(leased) == 0
        c.workers[0].start()
        finish(c, timeout=60)
