# SPDX-License-Identifier: Apache-2.0
"""The scheduler alone: what is due reaches Kafka and is moved, whatever is killed or away; nothing is emitted for what is
stopped. Messages are counted by the topics' ends, as settle tells them."""
import time

from harness import Cluster, HarnessError, tail, wait_until
from runner import test

N = 2000


def connections(c, n, state="connected"):
    c.query("INSERT INTO sync.connection (org_id, adapter, mode, types, budget_key, state) "
            "SELECT 'org-' || i, 'pco', 'bidirectional', '{}', 'key-' || i, %s FROM generate_series(1, %s) i", state, n)


def due_polls(c, n):
    c.query("INSERT INTO sync.schedule (org_id, adapter, period_s, due_at) "
            "SELECT 'org-' || i, 'pco', 86400, now() - interval '1 second' FROM generate_series(1, %s) i", n)


def moved(c):
    return c.value("SELECT count(*) FROM sync.schedule WHERE kind = 'poll' AND due_at > emitted_at")


def due_phases(c, n):
    c.query("INSERT INTO sync.run (org_id, adapter, kind) SELECT 'org-' || i, 'pco', 'initial' FROM generate_series(1, %s) i", n)
    c.query("INSERT INTO sync.phase (run_id, external_type, org_id, adapter, ordinal) "
            "SELECT id, 'Person', org_id, adapter, 0 FROM sync.run")


def emitted_phases(c):
    return c.value("SELECT count(*) FROM sync.phase WHERE emitted_seq = seq")


def messages(c, topic):
    """How many messages a topic holds: nobody consumes it here. Phases and work are owed too, so they are hidden for a look."""
    c.query("UPDATE sync.run SET state = 'cancelled'")
    c.query("UPDATE sync.work SET state = 'parked'")
    owed = c.ctl_json("settle", "--timeout", "0", check=False)
    c.query("UPDATE sync.run SET state = 'running'")
    c.query("UPDATE sync.work SET state = 'ready'")
    items = owed["owed"] if isinstance(owed, dict) else owed[0]["owed"]
    return sum(int(item["count"]) for item in items if item["what"].startswith(f"topic {topic} "))


def cluster(name, **more):
    return Cluster(name, start=False, sim=False, env={"OF_STALLED_MS": "300000"}, **more)


def prepare(c):
    c.start_servers()
    c.migrate()


@test(timeout=60)
def killed_between_the_steps():
    """kill -9 after claim, after produce, after move: every row is moved, and none without its message."""
    with cluster("sched-kill") as c:
        prepare(c)
        connections(c, N)
        due_polls(c, N)
        for n, point in enumerate(("after_claim", "after_produce", "after_move")):
            proc = c.add_scheduler(OF_FAILPOINTS=f"scheduler.{point}=kill@{n + 2}", OF_SCHEDULER_BATCH="100")
            wait_until(lambda: not proc.alive(), 20, f"{point}: its end")  # noqa: B023
            assert proc.popen.returncode == -9, (point, proc.popen.returncode, tail(proc.log_path, 5))
            proc.killed = True
        before = moved(c)
        assert 0 < before < N, before
        c.add_scheduler(OF_SCHEDULER_BATCH="100")
        wait_until(lambda: moved(c) == N, 20, "all moved")
        found = messages(c, "openfaith.tasks.live")
        assert N <= found <= N + 1200, found


@test(timeout=60)
def three_at_once():
    """Any number of schedulers: each row once."""
    with cluster("sched-three") as c:
        prepare(c)
        connections(c, N)
        due_polls(c, N)
        due_phases(c, N)
        for _ in range(3):
            c.add_scheduler(OF_SCHEDULER_BATCH="100")
        wait_until(lambda: moved(c) == N and emitted_phases(c) == N, 20, "all moved")
        time.sleep(0.5)
        assert messages(c, "openfaith.tasks.live") == N
        assert messages(c, "openfaith.tasks.bulk") == N


@test(timeout=150)
def servers_away():
    """Kafka stopped, Postgres restarted: it waits, says so on /readyz, and goes on by itself."""
    with cluster("sched-away", kafka="real") as c:
        prepare(c)
        connections(c, N)
        proc = c.add_scheduler()
        wait_until(lambda: c.http_get(proc, "/readyz")[0] == 200, 10, "ready")
        c.kafka.stop()
        due_polls(c, N)
        wait_until(lambda: c.http_get(proc, "/readyz")[0] == 503, 20, "not ready without Kafka")
        assert c.http_get(proc, "/livez")[0] == 200
        assert moved(c) == 0, "moved without an acknowledgement"
        c.kafka.start()
        wait_until(lambda: moved(c) == N, 60, "all moved after Kafka came back")
        wait_until(lambda: c.http_get(proc, "/readyz")[0] == 200, 10, "ready again")
        c.pg.restart("immediate")
        c.query("UPDATE sync.schedule SET due_at = now(), emitted_at = NULL")
        wait_until(lambda: moved(c) == N, 20, "all moved after Postgres came back")
        c.pg.restart("fast")
        c.query("UPDATE sync.schedule SET due_at = now(), emitted_at = NULL")
        wait_until(lambda: moved(c) == N, 20, "all moved after another restart")
        assert proc.alive()


@test(timeout=60)
def what_is_stopped_waits():
    """Phases and polls of paused, parked and disconnected connections are not emitted; a parked one is probed when due."""
    with cluster("sched-stopped") as c:
        prepare(c)
        connections(c, 4)
        for i, state in enumerate(("paused", "parked", "reconnect", "connected")):
            c.query("UPDATE sync.connection SET state = %s WHERE org_id = %s", state, f"org-{i + 1}")
        due_phases(c, 4)
        due_polls(c, 4)
        proc = c.add_scheduler()
        wait_until(lambda: emitted_phases(c) == 1, 10, "the connected one's phase")
        wait_until(lambda: c.value("SELECT count(*) FROM sync.schedule WHERE due_at > now()") == 4, 10, "polls moved")
        time.sleep(0.5)
        assert emitted_phases(c) == 1
        assert messages(c, "openfaith.tasks.live") == 1
        c.query("UPDATE sync.connection SET probe_at = now() WHERE state = 'parked'")
        wait_until(lambda: emitted_phases(c) == 2, 10, "the probed one's phase")
        assert c.value("SELECT state FROM sync.connection WHERE org_id = 'org-2'") == "connected"
        c.ctl("resume", "org-1", "pco")
        wait_until(lambda: emitted_phases(c) == 3, 10, "the resumed one's phase")
        assert proc.stop(10) == 0


@test(timeout=60)
def stalled_phases_are_emitted_again():
    with cluster("sched-stalled") as c:
        prepare(c)
        connections(c, 2)
        due_phases(c, 2)
        c.query("UPDATE sync.phase SET due_at = 'infinity', emitted_seq = 1 WHERE org_id = 'org-2'")  # waits for another type
        c.add_scheduler(OF_STALLED_MS="1000")
        first = wait_until(lambda: c.value("SELECT emitted_at FROM sync.phase WHERE org_id = 'org-1'"), 10, "emitted")
        wait_until(lambda: c.value("SELECT emitted_at FROM sync.phase WHERE org_id = 'org-1'") > first, 10, "emitted again")
        assert c.value("SELECT emitted_at IS NULL FROM sync.phase WHERE org_id = 'org-2'")
        assert messages(c, "openfaith.tasks.bulk") >= 2


@test(timeout=60)
def due_work_is_told_once_in_five_seconds():
    """However many rows and schedulers: one message per connection in five seconds; leased and future rows are silent."""
    with cluster("sched-work") as c:
        prepare(c)
        connections(c, 30)
        c.query("INSERT INTO sync.work (org_id, adapter, direction, record_type, record_id, due_at) "
                "SELECT 'org-' || o, 'pco', 'in', 'Person', r::text, now() - interval '3 seconds' "
                "FROM generate_series(1, 10) o, generate_series(1, 200) r")
        c.query("INSERT INTO sync.work (org_id, adapter, direction, record_type, record_id, state, due_at, lease_until) "
                "SELECT 'org-' || o, 'pco', 'in', 'Person', '1', CASE WHEN o <= 20 THEN 'leased' ELSE 'waiting' END, "
                "CASE WHEN o <= 20 THEN now() ELSE now() + interval '1 hour' END, now() + interval '1 hour' "
                "FROM generate_series(11, 30) o")
        for _ in range(2):
            c.add_scheduler(OF_SCHEDULER_BATCH="7")  # several looks until the round is done
        told = "SELECT count(*) FROM sync.schedule WHERE kind = 'work'"
        wait_until(lambda: c.value(told) == 10, 10, "ten connections told")
        time.sleep(2.5)
        assert c.value("SELECT count(*) FROM sync.schedule WHERE kind = 'work' AND emitted_at > now() - interval '2 seconds'") == 0
        c.query("UPDATE sync.work SET lease_until = now() - interval '2 seconds' WHERE state = 'leased'")
        wait_until(lambda: c.value(told) == 20, 10, "expired leases told")
        for proc in c.schedulers:
            assert proc.stop(10) == 0
        try:
            c.ctl("settle", "--timeout", "0")
            raise AssertionError("settled although work is due")
        except HarnessError:
            pass


@test(timeout=60)
def leases_of_stopped_connections():
    """Leases that expired with a connection that was paused then are for ever the oldest: others are found all the same."""
    with cluster("sched-leases") as c:
        prepare(c)
        connections(c, 6)
        c.query("UPDATE sync.connection SET state = 'paused' WHERE org_id <> 'org-6'")
        c.query("INSERT INTO sync.work (org_id, adapter, direction, record_type, record_id, state, lease_until) "
                "SELECT 'org-' || o, 'pco', 'in', 'Person', r::text, 'leased', now() - o * interval '1 hour' "
                "FROM generate_series(1, 5) o, generate_series(1, 20) r")
        c.query("INSERT INTO sync.work (org_id, adapter, direction, record_type, record_id, state, lease_until) "
                "VALUES ('org-6', 'pco', 'in', 'Person', '1', 'leased', now() - interval '5 seconds')")
        c.add_scheduler(OF_SCHEDULER_BATCH="50")
        wait_until(lambda: c.value("SELECT count(*) FROM sync.schedule WHERE kind = 'work'") == 1, 10, "the one that goes on is told")
        assert c.value("SELECT org_id FROM sync.schedule WHERE kind = 'work'") == "org-6"
