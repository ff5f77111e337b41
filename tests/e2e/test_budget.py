# SPDX-License-Identifier: Apache-2.0
"""The ChMS's limit, judged by its ledger: never over it, never told off, and used well while there is work."""
import time

from harness import Cluster, wait_until
from runner import test

ORG = "budget-church"
LIMIT, PERIOD = 100, 20


def busiest_window(times, period):
    """The most requests in any half-open window of that length (times in seconds, ascending)."""
    most = tail = 0
    for head, now in enumerate(times):
        while times[tail] <= now - period:
            tail += 1
        most = max(most, head - tail + 1)
    return most


def share_of_permits(times, limit, period):
    """Permits used in the whole periods that passed between the first and the last request."""
    periods = int((times[-1] - times[0]) // period)
    used = sum(1 for t in times if t < times[0] + periods * period)
    return used / (periods * limit), periods


def one_org(window):
    """Three workers on one org, 0.3 s latency."""
    with Cluster(f"budget-{window}", people=12000, workers=3, schedulers=2, latency_ms=300, rate=f"{LIMIT}/{PERIOD}",
                 window=window, quick=False) as c:
        c.connect(ORG, rate=f"{LIMIT}/{PERIOD}")
        begin = time.monotonic()
        wait_until(lambda: len(c.sim.requests(1)) >= 3 * LIMIT + 10, 5 * PERIOD, "enough requests", 0.5)
        requests = c.sim.requests(1)
        times = [e["t_ms"] / 1000 for e in requests]
        share, periods = share_of_permits(times, LIMIT, PERIOD)
        stats = c.sim.stats(1)
        print(f"{len(times)} requests in {time.monotonic() - begin:.1f} s, busiest window {busiest_window(times, PERIOD)}, "
              f"share {share:.3f} of {periods} periods, refused {stats['refused']}")
        assert stats["refused"] == 0, stats
        assert busiest_window(times, PERIOD) <= LIMIT if window == "sliding" else \
            stats["max_in_fixed_window"] <= LIMIT, stats
        assert share >= 0.95, f"only {share:.3f} of the permits were used"
        budget = [row[0] for row in c.query("SELECT owner FROM sync.budget WHERE org_id = %s", ORG)]
        assert len(budget) == 1, budget


@test(timeout=200)
def three_workers_one_org_sliding():
    one_org("sliding")


@test(timeout=200)
def three_workers_one_org_fixed():
    one_org("fixed")


@test(timeout=200)
def one_worker_fifty_orgs():
    """Each org has its own permits; none waits for another's."""
    n, limit, period = 50, 10, 5
    with Cluster("budget-fifty", people=60, orgs=n, workers=1, latency_ms=300, rate=f"{limit}/{period}", window="sliding",
                 quick=False) as c:
        for index in range(1, n + 1):
            c.connect(f"{ORG}-{index}", index, rate=f"{limit}/{period}")
        for index in range(1, n + 1):
            c.wait_active(f"{ORG}-{index}", 120)
        for index in range(1, n + 1):
            times = [e["t_ms"] / 1000 for e in c.sim.requests(index)]
            assert busiest_window(times, period) <= limit, f"org {index}: {busiest_window(times, period)} in a window"
        refused = [e for e in c.sim.requests() if e["status"] == 429]
        assert not refused, refused[:3]


@test(timeout=200)
def limit_lowered():
    """100 in 4 s becomes 20 in 4 s half way: followed after what was under way then."""
    limit, lower, period = 100, 20, 4
    with Cluster("budget-lowered", people=8000, workers=2, latency_ms=50, rate=f"{limit}/{period}", window="sliding") as c:
        c.connect(ORG, rate=f"{limit}/{period}")
        wait_until(lambda: len(c.sim.requests(1)) >= 120, 30, "the sync to begin", 0.2)
        c.sim.post("/_sim/limit", {"org": 1, "limit": lower, "period": period})
        changed = c.sim.requests(1)[-1]["t_ms"] / 1000
        time.sleep(6 * period)
        late = [e for e in c.sim.requests(1) if e["t_ms"] / 1000 > changed + 2 * period]
        times = [e["t_ms"] / 1000 for e in late]
        print(f"{len(late)} requests after it was lowered, busiest window {busiest_window(times, period)}")
        assert times, "no requests any more"
        assert busiest_window(times, period) <= lower
        assert not [e for e in late if e["status"] == 429]
        assert len(times) >= 0.8 * lower * 3, "the lower limit is hardly used"


@test(timeout=200)
def owner_killed():
    """A budget's owner dies: the next one never goes over the limit."""
    limit, period = 30, 5
    with Cluster("budget-kill", kafka="real", people=4000, workers=2, latency_ms=100, rate=f"{limit}/{period}",
                 window="sliding") as c:
        c.connect(ORG, rate=f"{limit}/{period}")
        for _ in range(4):
            time.sleep(6)
            for proc in c.workers:
                proc.kill9()
            for proc in c.workers:
                proc.start()
        time.sleep(8)
        times = [e["t_ms"] / 1000 for e in c.sim.requests(1)]
        refused = [e for e in c.sim.requests(1) if e["status"] == 429]
        print(f"{len(times)} requests, busiest window {busiest_window(times, period)}, {len(refused)} refused")
        assert busiest_window([e["t_ms"] / 1000 for e in c.sim.requests(1) if e["status"] != 429], period) <= limit
        assert len(refused) <= 4, f"{len(refused)} refused: more than one a take-over"
        assert len(times) > 60, "hardly any requests"
