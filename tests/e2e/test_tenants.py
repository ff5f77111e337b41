# SPDX-License-Identifier: Apache-2.0
"""Organizations do not meet: neither in data, nor in time, nor in threads."""
import os
import time

from harness import ACTIVE, Cluster, wait_until
from runner import test

HASH = "SET enable_nestloop = off; SET enable_mergejoin = off;"  # nothing is known of how many rows a CTE has
LONG = bool(os.environ.get("OF_TEST_LONG"))


def assert_apart(c):
    """No row of one org refers to another's."""
    tables = [row[0] for row in c.query(
        "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'orgId' "
        "AND table_name LIKE 'openfaith!_%%' ESCAPE '!' AND table_name IN (SELECT table_name FROM information_schema.columns "
        "WHERE column_name = 'customFields')")]
    union = " UNION ALL ".join(f'SELECT id, "orgId" FROM "{name}"' for name in tables)
    strays = c.query(f"{HASH} WITH e AS MATERIALIZED ({union}) SELECT l.org_id, e.\"orgId\", l.external_type, l.external_id "
                     "FROM sync.external_link l JOIN e ON e.id = l.entity_id WHERE e.\"orgId\" <> l.org_id LIMIT 5")
    assert not strays, f"links to another org's entities: {strays}"
    ends = " UNION ALL ".join(f'SELECT x."orgId", e."orgId", x."relationshipType" FROM openfaith_edges x JOIN e ON e.id = x."{end}" '
                              'WHERE e."orgId" <> x."orgId"' for end in ("sourceEntityId", "targetEntityId"))
    strays = c.query(f"{HASH} WITH e AS MATERIALIZED ({union}) SELECT * FROM ({ends}) s LIMIT 5")
    assert not strays, f"edges to another org's entities: {strays}"


def pauses(entries):
    """Seconds between an org's answer and its next request, with both targets, ascending."""
    last, found = {}, []
    for entry in entries:
        before = last.get(entry["org"])
        if before and before["end_ms"]:
            found.append(((entry["t_ms"] - before["end_ms"]) / 1000, entry["org"], before["target"], entry["target"]))
        last[entry["org"]] = entry
    return sorted(found)


@test(timeout=300)
def a_hanging_and_a_huge_one_delay_nobody():
    """One org whose ChMS hangs, one huge one, and many small ones that come later."""
    small = 50 if LONG else 25
    people = 30000 if LONG else 16000
    with Cluster("tenants", kafka="real", people=40, orgs=small + 2, workers=2, latency_ms=20,
                 env={"OF_SLICE_MS": 2000}) as c:
        c.sim.post("/_sim/orgs/1/config", {"people": people})
        c.sim.fault("hang", 2, match="GET", delay_ms=600000)
        c.connect("small-3", 3)  # what this machine makes of one that is alone
        c.wait_active("small-3", 60)
        alone = pauses(c.sim.requests(3))[-1]
        c.connect("huge", 1)
        c.connect("hanging", 2)
        wait_until(lambda: c.value("SELECT count(*) FROM sync.external_link WHERE org_id = 'huge'") > 1000, 60,
                   "the huge one to be under way")
        slowest, until = 0.0, {}
        for index in range(4, small + 3):
            begin = time.monotonic()
            c.connect(f"small-{index}", index)
            c.wait_active(f"small-{index}", 60)
            slowest = max(slowest, time.monotonic() - begin)
            until[index] = c.sim.requests(index)[-1]["seq"]  # from then on it waits for nobody but its next poll
            if c.status("huge")["state"] == ACTIVE and index < small // 2:
                raise AssertionError("the huge one was through too early for this test to say anything")
        longest = pauses([e for e in c.sim.requests() if e["seq"] <= until.get(e["org"], 0)])[-1]
        print(f"slowest small org: {slowest:.2f} s from connect to active, longest pause between its requests {longest}; "
              f"of the one that was alone: {alone}")
        assert longest[0] < 2 * 2.0 + alone[0], f"a small org paused {longest}: more than two slices of a big one"
        assert c.status("hanging")["state"] != ACTIVE
        assert_apart(c)
        c.wait_active("huge", 200)
        c.assert_mirror("small-3")


@test(timeout=120)
def same_data_two_orgs():
    """Two orgs with equal external ids."""
    with Cluster("tenants-two", people=150, orgs=2, workers=2) as c:
        c.connect("one", 1)
        c.connect("two", 2, mode="chms")
        for org in ("one", "two"):
            c.wait_active(org, 60)
            c.settle(org, 60)
            c.assert_mirror(org)
        assert_apart(c)


@test(timeout=1500 if LONG else 300)
def a_thousand_orgs_need_no_more_threads():
    """Threads and database connections of a worker with many orgs waiting, against one."""
    n = 1000 if LONG else 150
    with Cluster("tenants-many", people=3, orgs=n, workers=1, latency_ms=100) as c:
        c.connect("org-1", 1)
        c.wait_active("org-1", 60)

        def sessions():
            return c.value("SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'",
                           c.database)
        threads, connections = c.workers[0].threads(), sessions()
        for proc in c.workers:
            proc.pause()
        for index in range(2, n + 1):
            c.connect(f"org-{index}", index)
        for proc in c.workers:
            proc.resume()
        most_threads = most_connections = 0
        deadline = time.monotonic() + (1200 if LONG else 200)
        while time.monotonic() < deadline:
            most_threads = max(most_threads, c.workers[0].threads())
            most_connections = max(most_connections, sessions())
            if c.value("SELECT count(*) FROM sync.run WHERE state = 'running'") == 0:
                break
            time.sleep(0.1)
        else:
            raise AssertionError("not all came to their end: " + c.owed())
        print(f"one org: {threads} threads, {connections} connections; {n}: {most_threads}, {most_connections}; "
              f"RSS {c.workers[0].peak_rss_kb() / 1024:.0f} MB")
        assert most_threads <= threads + 1, "more threads"
        assert most_connections <= connections + 20, "more connections"
        for index in (2, n // 2, n):
            c.assert_mirror(f"org-{index}")
