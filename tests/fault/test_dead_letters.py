# SPDX-License-Identifier: Apache-2.0
"""Dead letters by the thousands: what they have in common, replayed by cause, at a rate, through a kill; given up; shown."""
import contextlib
import json
import os
import signal
import subprocess
import time

from harness import Cluster, wait_until
from procs import program
from runner import test

ORG = "dead-church"
EX_USAGE = 64
CAUSES = (("permanent", "$.attributes.birthdate: expected a date, got \"{n}\""), ("permanent", "record {n} is too large"),
          ("permanent", "refused: 'Name{n}' is taken"), ("retry", "timeout after {n} ms"), ("permanent", "transform failed"))
HOW_MANY = 10000 if os.environ.get("OF_TEST_LONG") else 3000


def run(c, sql, *args):
    with contextlib.closing(c.db()) as db, db, db.cursor() as cur:
        cur.execute(sql, args)


def people_of(c):
    return c.query("SELECT l.entity_id, l.external_id FROM sync.external_link l JOIN openfaith_people p ON p.id = l.entity_id "
                   "WHERE l.org_id = %s AND l.external_type = 'Person' AND l.state = 'linked' AND p.\"firstName\" IS NOT NULL "
                   "ORDER BY length(l.external_id), l.external_id", ORG)


def make_dead(c, people, n):
    """Rows as failures leave them; every one of the records is fine by now."""
    rows = []
    for i in range(n):
        cls, words = CAUSES[i % len(CAUSES)]
        rows.append((people[i][1] if i < len(people) else str(9000000 + i), cls, words.replace("{n}", str(i))))
    run(c, "INSERT INTO sync.work (org_id, adapter, direction, record_type, record_id, state, error_class, error, attempts, "
        "reason) SELECT %s, 'pco', 'in', 'Person', x.id, 'dead', x.cls, x.words, 3, 'bad record' "
        "FROM unnest(%s::text[], %s::text[], %s::text[]) AS x (id, cls, words)",
        ORG, [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows])


def replayed(c, cause):
    """(letters, rows) of the journal."""
    return c.query("SELECT count(DISTINCT external_id), count(*) FROM sync.journal WHERE org_id = %s AND rule = 'dead letter replayed' "
                   "AND new ->> 'cause' = %s", ORG, cause)[0]


def killed_in_the_midst(c, cause, count):
    """A replay at a rate that would take eight seconds; gives how many it had done."""
    settings = {**{k: v for k, v in os.environ.items() if not k.startswith("OF_")}, **c.env()}
    proc = subprocess.Popen([program("openfaithctl"), "dlq", "replay", ORG, "--cause", cause, "--rate", str(count // 8), "--reason", "fixed"],
                            env=settings, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=c.box.path)
    try:
        wait_until(lambda: replayed(c, cause)[0] >= count // 4, 30, "a part is replayed", interval=0.05)
    finally:
        proc.send_signal(signal.SIGKILL)
        proc.wait()
    done, rows = replayed(c, cause)
    assert count // 4 <= done < count and rows == done, (done, rows, count)
    return done


def replay_through_a_kill(c, people):
    make_dead(c, people, HOW_MANY)
    stats = c.ctl_json("dlq", "stats", ORG)
    assert len(stats) == len(CAUSES) and {s["count"] for s in stats} == {HOW_MANY // len(CAUSES)}, stats
    first = next(s for s in stats if "birthdate" in s["example"])
    cause, count = first["cause"], first["count"]
    told = c.ctl("dlq", "replay", ORG, "--cause", cause, "--dry-run", "--limit", "3").stdout
    assert "read again" in told and "3 dead letters would be replayed" in told, told
    assert len(c.ctl_json("dlq", "list", ORG, "--cause", cause, "--limit", "100000")) == count, "nothing was done"
    # newer states are there: theirs changed after the letters died, and so did ours
    c.sim.do("PATCH", f"/people/v2/people/{people[0][1]}", {"first_name": "Newer"})
    run(c, 'UPDATE openfaith_people SET "lastName" = \'Newest\', "updatedAt" = now(), "updatedBy" = \'user_1\' WHERE id = %s', people[5][0])
    c.settle(ORG, 60)
    before = c.query('SELECT id, xmin::text FROM openfaith_people WHERE "orgId" = %s ORDER BY 1', ORG)
    begin = time.monotonic()
    done = killed_in_the_midst(c, cause, count)
    # what was given up only half is still there, and goes on
    again = c.ctl_json("dlq", "replay", ORG, "--cause", cause, "--rate", "100000", "--reason", "fixed")
    assert again == {"replayed": count - done, "found": count - done}, (again, done)
    assert c.ctl_json("dlq", "replay", ORG, "--cause", cause) == {"replayed": 0, "found": 0}
    assert replayed(c, cause) == (count, count), replayed(c, cause)
    c.settle(ORG, 120)
    print(f"{count} of {HOW_MANY} replayed in {time.monotonic() - begin:.1f} s, killed after {done}")
    after = c.query('SELECT id, xmin::text FROM openfaith_people WHERE "orgId" = %s ORDER BY 1', ORG)
    assert {x[0] for x in set(before) ^ set(after)} <= {people[0][0]}, "what was the same is not written again"
    assert c.value('SELECT "firstName" FROM openfaith_people WHERE id = %s', people[0][0]) == "Newer"
    assert c.value('SELECT "lastName" FROM openfaith_people WHERE id = %s', people[5][0]) == "Newest"
    assert [r for r in c.sim.dump(1, "Person") if r["id"] == people[5][1]][0]["attributes"]["last_name"] == "Newest"
    assert c.value("SELECT count(*) FROM sync.work WHERE org_id = %s AND state = 'dead'", ORG) == HOW_MANY - count
    return HOW_MANY - count


def shown(c):
    lines = c.ctl("dlq", "export", ORG).stdout.splitlines()
    assert all(json.loads(line)["org"] == ORG for line in lines)
    letter = json.loads(lines[0])["id"]
    run(c, "UPDATE sync.work SET intent = '{\"sent\":{\"firstName\":\"Secret\"}}' WHERE org_id = %s AND record_id = %s", ORG, letter)

    def looked():
        return [json.loads(json.dumps(x[0])) for x in c.query("SELECT new FROM sync.journal WHERE org_id = %s AND "
                                                             "rule = 'dead letters shown unmasked' ORDER BY at", ORG)]
    show = ("dlq", "show", ORG, "pco", "Person", letter)
    assert "Secret" not in c.ctl(*show).stdout and "***" in c.ctl(*show).stdout and not looked()
    assert "Secret" in c.ctl(*show, "--unmask").stdout
    assert len(looked()) == 1 and looked()[0]["count"] == 1 and looked()[0]["by"], looked()
    assert "Secret" in c.ctl("dlq", "export", ORG, "--unmask", "--limit", "7").stdout
    assert len(looked()) == 2 and looked()[1]["count"] == 7, looked()
    return len(lines)


def by_when_they_died(c):
    """A record that was owed for long and died just now has died since a minute."""
    recent = c.ctl_json("dlq", "list", ORG, "--limit", "1")[0]["id"]
    run(c, "UPDATE sync.work SET first_at = now() - interval '3 days', due_at = now() - interval '2 days' WHERE org_id = %s AND state = 'dead'", ORG)
    run(c, "UPDATE sync.work SET due_at = now() WHERE org_id = %s AND record_id = %s", ORG, recent)
    assert [x["id"] for x in c.ctl_json("dlq", "list", ORG, "--since", "10m")] == [recent]
    assert sum(x["count"] for x in c.ctl_json("dlq", "stats", ORG, "--since", "1d")) == 1


def given_up(c, people, left):
    """What may have been made there is not forgotten: else the next change would make it again."""
    person, external = people[1]
    run(c, "UPDATE sync.connection SET state = 'paused' WHERE org_id = %s", ORG)
    run(c, 'UPDATE openfaith_people SET "firstName" = \'Differs\', "updatedAt" = now() WHERE id = %s', person)
    wait_until(lambda: c.value("SELECT count(*) FROM sync.work WHERE org_id = %s AND record_id = %s", ORG, person) == 1, 20, "the change")
    run(c, "INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, state, error_class, error, intent) "
        "VALUES (%s, 'pco', 'out', 'person', 'person_lost', 'dead', 'retry', 'the answer was lost', '{\"sent\": {}}'), "
        "(%s, 'pco', 'out', 'person', %s, 'dead', 'permanent', 'refused', NULL) "
        "ON CONFLICT (org_id, adapter, direction, record_type, record_id) DO UPDATE SET state = 'dead', error = excluded.error", ORG, ORG, person)
    told = c.ctl("dlq", "replay", ORG, "--dry-run", "--record", person).stdout
    assert f"Person {external}" in told and "what differs now is sent: firstName\n" in told, told
    assert "looked for first" in c.ctl("dlq", "replay", ORG, "--dry-run", "--record", "person_lost").stdout
    assert c.ctl("dlq", "discard", ORG, check=False).returncode == EX_USAGE, "why?"
    done = c.ctl_json("dlq", "discard", ORG, "--reason", "test")
    assert done == {"discarded": left + 1, "found": left + 2, "maybeMadeThere": 1}, done
    assert c.query("SELECT record_id FROM sync.work WHERE org_id = %s AND state = 'dead'", ORG) == [("person_lost",)]
    assert "may have been made there" in c.ctl("dlq", "discard", ORG, "--reason", "test").stdout
    # who lets others go on stands in the journal as well
    run(c, "UPDATE sync.work SET state = 'parked' WHERE org_id = %s AND record_id = 'person_lost'", ORG)
    assert c.ctl_json("work", "release", ORG, "--record", "person_lost") == {"count": 1}
    run(c, "UPDATE sync.work SET due_at = now() + interval '1 hour' WHERE org_id = %s AND record_id = 'person_lost'", ORG)
    assert c.ctl_json("work", "retry", ORG) == {"count": 1}
    assert c.query("SELECT rule, new ->> 'count', external_id FROM sync.journal WHERE org_id = %s AND rule LIKE 'work %%' ORDER BY at", ORG) == [
        ("work released", "1", "person_lost"), ("work retried", "1", None)]


@test(timeout=240)
def dead_letters():
    """10,000 of five causes (3,000 where long tests were not asked for)."""
    with Cluster("dead-letters", people=60, workers=1) as c:
        c.connect(ORG, types=["Person"])
        c.wait_active(ORG, 60)
        c.settle(ORG, 60)
        people = people_of(c)
        left = replay_through_a_kill(c, people)
        assert shown(c) == left
        by_when_they_died(c)
        given_up(c, people, left)
