# SPDX-License-Identifier: Apache-2.0
"""What changes in the ChMS after the first sync arrives by polls and reconciliations: exactly, cheaply, and without deleting what
is only missing for a while."""
import contextlib
import random
import time

from before import typeid
from harness import Cluster, wait_until
from runner import test

ORG = "poll-church"
FAST = {"OF_POLL_LATE_MS": 2000}


@contextlib.contextmanager
def church(name, people=300, connect=True, **more):
    """A connected church after its first sync; the scheduled polls are hours away."""
    env = {**FAST, **more.pop("env", {})}
    with Cluster(f"poll-{name}", people=people, env=env, **more) as c:
        if connect:
            c.connect(ORG)
            c.wait_active(ORG)
            c.settle(ORG)
            c.query("UPDATE sync.schedule SET due_at = now() + interval '1 day' WHERE kind IN ('poll', 'reconcile')")
        yield c


def poll(c, *args, timeout=120):
    c.ctl("poll", ORG, "pco", *args)
    c.settle(ORG, timeout)


def reconcile(c, *args, timeout=120):
    c.ctl("reconcile", ORG, "pco", *args)
    c.settle(ORG, timeout)


def seq(c):
    return max([e["seq"] for e in c.sim.ledger()] or [0])


def asked_since(c, since):
    return [e["target"] for e in c.sim.requests(1) if e["seq"] > since]


def assert_same(c, *but):
    """A mirror, but for what no time of a record announces: a household's contact name follows a person's; and what `but` names."""
    found = [text for text in c.differences(ORG) if not any(word in text for word in ("Household", "openfaith_households", *but))]
    assert not found, found


def deleted_people(c):
    return c.value('SELECT count(*) FROM openfaith_people WHERE "orgId" = %s AND "deletedAt" IS NOT NULL', ORG)


@test(timeout=120)
def what_changes_there_arrives():
    """Edits, new records, gifts and mergers by poll; what no time announces by reconciliation. Then nothing is different."""
    with church("arrives", kafka="real", workers=2) as c:
        for op, count in (("add", 10), ("edit_contact", 10), ("add_contact", 10), ("delete_contact", 8), ("edit_datum", 10),
                          ("edit_household", 5), ("add_donation", 6), ("edit_donation", 6)):
            c.sim.edits(op, count)
        poll(c)
        c.assert_nothing_owed(ORG)
        c.assert_mirror(ORG)
        c.sim.edits("edit", 20)  # names of people stand in households too, whose time does not move
        c.sim.edits("merge", 6)  # and so do memberships
        poll(c)
        c.assert_nothing_owed(ORG)
        assert_same(c, "Membership", "edge ")
        c.sim.edits("edit_group_member", 15)
        c.sim.edits("edit_household_member", 8)
        c.sim.edits("delete", 6)
        c.sim.edits("delete_donation", 3)
        c.sim.edits("delete_household", 1)
        reconcile(c)
        c.assert_nothing_owed(ORG)
        c.assert_mirror(ORG)
        state = c.status(ORG)
        assert state["state"] == "Active - Incremental Sync Enabled", state


@test(timeout=90)
def nothing_new_costs_nothing():
    """The third poll of a quiet church: one request per list, no transaction but that of its schedule's row, the times move."""
    with church("quiet", people=120) as c:
        c.sim.edits("edit", 5)
        time.sleep(2.5)  # the cursors pass the edits
        for _ in range(3):
            poll(c)
        polled = {t["type"]: t["lastSuccessfulPollTimestamp"] for t in c.status(ORG)["entityTypes"]}
        tables = [f"sync.{t}" for t in ("external_link", "base", "status", "work", "connection", "journal", "run", "phase")]
        tables += ["openfaith_people", "openfaith_edges", "openfaith_emails", "openfaith_donations"]

        def rows():  # each version of each row
            return {t: c.value(f"SELECT md5(string_agg(ctid::text || xmin::text, ',' ORDER BY tableoid, ctid)) FROM {t}") for t in tables}

        before = rows()
        since = seq(c)
        time.sleep(1.1)
        poll(c)
        targets = asked_since(c, since)
        assert len(targets) == len(set(targets)) and 12 <= len(targets) <= 20, targets
        assert rows() == before
        later = {t["type"]: t["lastSuccessfulPollTimestamp"] for t in c.status(ORG)["entityTypes"]}
        assert all(later[name] > polled[name] for name in later), (polled, later)


@test(timeout=90)
def thousands_in_one_second():
    """More records of one second than a page holds: none is skipped, and the cursor comes past them."""
    with church("second", people=1500, env={"OF_SLICE_MS": "50"}) as c:
        c.sim.edits("edit", 900)
        poll(c)
        assert_same(c)
        c.sim.edits("edit", 30)
        time.sleep(2.5)
        poll(c)
        since = seq(c)
        poll(c)
        people = [t for t in asked_since(c, since) if t.startswith("/people/v2/people?")]
        assert len(people) == 1, people
        assert_same(c)


@test(timeout=90)
def a_record_that_shows_up_late():
    """Updated before the poll, listed after it: the poll after that still reads back so far."""
    with church("late", env={"OF_POLL_LATE_MS": "60000"}) as c:
        before = c.value("SELECT poll_cursor::text FROM sync.status WHERE org_id = %s AND external_type = 'Person'", ORG)
        c.sim.fault("empty_page", 1, match="/people/v2/people?", times=1)  # edits are there, the list does not show them
        c.sim.edits("edit", 12)
        poll(c)
        assert before is None
        poll(c)
        assert_same(c)


@test(timeout=150)
def killed_in_the_midst():
    """kill -9 of workers at every place of a poll: it is done by whoever is there, once."""
    with church("killed", kafka="real", people=400, workers=0, connect=False) as c:
        c.add_worker()
        c.connect(ORG)
        c.wait_active(ORG)
        c.settle(ORG)
        c.query("UPDATE sync.schedule SET due_at = now() + interval '1 day' WHERE kind IN ('poll', 'reconcile')")
        c.workers[0].stop(15)
        rng = random.Random(7)
        for point in ("worker.before_poll_save=kill@1", "worker.after_poll_save=kill@1", None):
            c.sim.edits("mixed", 25)
            c.sim.edits("merge", 2)
            c.ctl("poll", ORG, "pco")
            victim = c.add_worker(**({"OF_FAILPOINTS": point} if point else {}))
            if point:
                wait_until(lambda: not victim.alive(), 30, f"{point}: its end")  # noqa: B023
                victim.killed = True
            else:
                time.sleep(rng.uniform(0.2, 0.8))
                victim.kill9()
        c.add_worker()
        c.settle(ORG, 90)
        reconcile(c)
        c.assert_nothing_owed(ORG)
        c.assert_mirror(ORG)


@test(timeout=120)
def mass_deletion():
    """Empty lists and 404 to everything: nothing is deleted, one question per type is asked, status says so; when they are there again
    nothing has happened."""
    with church("mass", people=200) as c:
        c.sim.fault("status404", 1, match="GET /people/v2/people/")
        c.sim.fault("status404", 1, match="/donations/")
        c.sim.fault("status404", 1, match="/campuses/")
        people = c.query("SELECT external_id FROM sync.external_link WHERE org_id = %s AND external_type = 'Person' AND "
                         "state = 'linked' LIMIT 60", ORG)
        for (ident,) in people:  # looks at single records, all answered with 404
            c.query("INSERT INTO sync.work (org_id, adapter, direction, record_type, record_id, reason) "
                    "VALUES (%s, 'pco', 'in', 'Person', %s, 'missing')", ORG, ident)
        c.settle(ORG, 60)
        assert deleted_people(c) == 0
        asked = c.query("SELECT external_type, external_id FROM sync.review WHERE org_id = %s AND kind = 'delete' AND state = 'open'", ORG)
        assert asked == [("Person", "")], asked
        assert c.value("SELECT count(*) FROM sync.work WHERE org_id = %s AND state = 'parked'", ORG) == 60
        c.query("DELETE FROM sync.work WHERE state = 'parked'")
        alive = 'SELECT count(*) FROM {} WHERE "orgId" = %s AND "deletedAt" IS NULL'
        tables = ("openfaith_people", "openfaith_groups", "openfaith_funds", "openfaith_campuses", "openfaith_donations")
        before = [c.value(alive.format(t), ORG) for t in tables]
        cut(c)
        poll(c)
        reconcile(c)
        assert [c.value(alive.format(t), ORG) for t in tables] == before
        types = {row[0] for row in c.query("SELECT external_type FROM sync.review WHERE org_id = %s AND kind = 'delete' "
                                           "AND state = 'open'", ORG)}
        assert {"Person", "Fund", "Group", "Donation"} <= types, types
        words = c.value("SELECT error FROM sync.status WHERE org_id = %s AND external_type = 'Person'", ORG)
        assert "before a person decides" in words, words
        assert "before a person decides" in c.status(ORG)["message"], c.status(ORG)
        ids = dict(c.query("SELECT external_type, id FROM sync.review WHERE org_id = %s AND kind = 'delete' AND state = 'open'", ORG))
        c.sim.fault("status404", 1, match="/funds/")
        c.ctl("review", "reject", ids["Group"])
        c.ctl("review", "accept", ids["Fund"])  # a person says that they may go, and two looks find nobody
        c.settle(ORG)
        assert c.value(alive.format("openfaith_funds"), ORG) == 0 and c.value(alive.format("openfaith_groups"), ORG) == before[1]
        c.sim.clear_faults()
        poll(c)
        reconcile(c)
        c.assert_mirror(ORG)
        assert "before a person decides" not in c.status(ORG)["message"], c.status(ORG)
        assert c.value("SELECT count(*) FROM sync.review WHERE org_id = %s AND kind = 'delete' AND state = 'open'", ORG) == 0


def cut(c):
    """From now on every list says that there is nothing."""
    c.sim.fault("empty_list", 1, match="GET /")


@test(timeout=120)
def gone_for_good_or_not():
    """A deleted record takes two looks, a merged one none, and one that comes back has everything it had."""
    with church("gone", people=200, env={"OF_SECOND_LOOK_MS": "2500"}) as c:
        removed = c.sim.edits("delete", 1)[0]["id"]
        merged = c.sim.edits("merge", 1)[0]["id"]
        since = seq(c)
        poll(c)
        reconcile(c)
        single = [t for t in asked_since(c, since) if t.startswith(f"/people/v2/people/{removed}?")]
        times = [e["t_ms"] for e in c.sim.requests(1) if e["target"].startswith(f"/people/v2/people/{removed}?")]
        assert len(single) == 2 and times[1] - times[0] >= 2400, (single, times)
        assert not [t for t in asked_since(c, since) if t.startswith(f"/people/v2/people/{merged}?")]
        c.assert_mirror(ORG)
        ident = c.query("SELECT l.external_id FROM sync.external_link l JOIN openfaith_edges e ON e.\"orgId\" = l.org_id AND "
                        "(e.\"sourceEntityId\" = l.entity_id OR e.\"targetEntityId\" = l.entity_id) WHERE l.org_id = %s AND "
                        "l.external_type = 'Person' AND l.state = 'linked' AND e.\"deletedAt\" IS NULL "
                        "GROUP BY 1 ORDER BY count(DISTINCT e.\"relationshipType\") DESC, 1 LIMIT 1", ORG)[0][0]
        c.sim.fault("status404", 1, match=f"/people/v2/people/{ident}?")
        c.query("INSERT INTO sync.work (org_id, adapter, direction, record_type, record_id, reason) "
                "VALUES (%s, 'pco', 'in', 'Person', %s, 'missing')", ORG, ident)
        c.settle(ORG)
        assert c.value("SELECT state FROM sync.external_link WHERE org_id = %s AND external_type = 'Person' AND external_id = %s",
                       ORG, ident) == "deleted"
        c.sim.clear_faults()
        reconcile(c)
        c.assert_mirror(ORG)


@test(timeout=120)
def moved_to_somebody_new():
    """A membership that is known names somebody who is not: it waits for that person, and is not done because it was tied before."""
    with church("moved", people=60) as c:
        row = c.query("SELECT external_id, entity_id FROM sync.external_link WHERE org_id = %s AND external_type = 'Membership' "
                      "AND state = 'linked' ORDER BY 1 LIMIT 1", ORG)[0]
        person = c.value("SELECT external_id FROM sync.external_link WHERE org_id = %s AND external_type = 'Person' AND entity_id = %s",
                         ORG, row[1].split("|")[1])
        keep = c.sim.do("POST", "/people/v2/people", {"first_name": "Ida", "last_name": "Kept"})["id"]
        c.sim.merge(keep, person)
        c.query("INSERT INTO sync.work (org_id, adapter, direction, record_type, record_id, reason) "
                "VALUES (%s, 'pco', 'in', 'Membership', %s, 'read')", ORG, row[0])
        c.settle(ORG)
        found = c.value("SELECT entity_id FROM sync.external_link WHERE org_id = %s AND external_type = 'Person' AND external_id = %s",
                        ORG, keep)
        assert found, "the one whom it names has not been read"
        tied = c.value("SELECT entity_id FROM sync.external_link WHERE org_id = %s AND external_type = 'Membership' AND external_id = %s",
                       ORG, row[0])
        assert tied.split("|")[1] == found, (tied, found)
        poll(c)
        reconcile(c)
        c.assert_mirror(ORG)


@test(timeout=120)
def added_to_somebody_who_is_merged_into_somebody_new():
    """A person is put into a group here while there they have become somebody who is not known here yet: the membership goes to the kept."""
    with church("merged-new", people=60) as c:
        person, removed = c.query(
            "SELECT entity_id, external_id FROM sync.external_link p WHERE external_type = 'Person' AND org_id = %s AND state = 'linked' "
            "AND NOT EXISTS (SELECT FROM openfaith_edges e WHERE e.\"targetEntityId\" = p.entity_id AND e.\"relationshipType\" = "
            "'group_has_person') ORDER BY 2 LIMIT 1", ORG)[0]
        group, group_there = c.query(
            "SELECT entity_id, external_id FROM sync.external_link l JOIN openfaith_groups g ON g.id = l.entity_id WHERE l.org_id = %s "
            "AND external_type = 'Group' AND state = 'linked' AND g.\"archivedAt\" IS NULL ORDER BY 2 LIMIT 1", ORG)[0]
        keep = c.sim.do("POST", "/people/v2/people", {"first_name": "Ida", "last_name": "Kept"})["id"]
        c.sim.merge(keep, removed)
        c.query('INSERT INTO openfaith_edges ("orgId", "sourceEntityId", "sourceEntityTypeTag", "targetEntityId", "targetEntityTypeTag", '
                "\"relationshipType\", metadata, \"createdAt\", \"createdBy\") VALUES (%s, %s, 'group', %s, 'person', "
                "'group_has_person', '{}', now(), 'user_1')", ORG, group, person)
        wait_until(lambda: c.query("SELECT 1 FROM sync.external_link WHERE org_id = %s AND external_type = 'Person' AND external_id = %s "
                                   "AND state = 'merged_into'", ORG, removed), 60, "the merger to be known", 0.1)
        c.settle(ORG)
        kept = c.value("SELECT entity_id FROM sync.external_link WHERE org_id = %s AND external_type = 'Person' AND external_id = %s "
                       "AND state = 'linked'", ORG, keep)
        there = [m for m in c.sim.dump(1, "Membership") if m["relationships"]["person"]["data"]["id"] == keep
                 and m["relationships"]["group"]["data"]["id"] == group_there]
        assert len(there) == 1, there
        here = c.query('SELECT "targetEntityId" FROM openfaith_edges WHERE "orgId" = %s AND "sourceEntityId" = %s AND "relationshipType" = '
                       "'group_has_person' AND \"targetEntityId\" IN (%s, %s) AND \"deletedAt\" IS NULL", ORG, group, person, kept)
        assert here == [(kept,)], here
        poll(c)
        reconcile(c)
        c.assert_same(ORG)


@test(timeout=120)
def what_was_removed_here_stays_removed():
    """A household waits for a member who is not known yet; another one was taken out of it here, and is not put back with the first."""
    with church("removed", people=60) as c:
        home, home_there, person = c.query(
            'SELECT l.entity_id, l.external_id, e."targetEntityId" FROM sync.external_link l JOIN openfaith_edges e '
            'ON e."sourceEntityId" = l.entity_id AND e."relationshipType" = \'household_has_person\' AND e."deletedAt" IS NULL '
            "WHERE l.org_id = %s AND l.external_type = 'Household' AND l.state = 'linked' AND EXISTS (SELECT FROM openfaith_edges x "
            'WHERE x."sourceEntityId" = l.entity_id AND x."relationshipType" = e."relationshipType" AND x."deletedAt" IS NULL '
            'AND x."targetEntityId" <> e."targetEntityId") ORDER BY 2, 3 LIMIT 1', ORG)[0]
        other = c.value("SELECT l.external_id FROM sync.external_link l JOIN openfaith_edges e ON e.\"targetEntityId\" = l.entity_id "
                        "WHERE e.\"sourceEntityId\" = %s AND e.\"relationshipType\" = 'household_has_person' AND l.external_type = 'Person' "
                        "AND l.entity_id <> %s AND e.\"deletedAt\" IS NULL LIMIT 1", home, person)
        gone = ('SELECT count(*) FROM openfaith_edges WHERE "sourceEntityId" = %s AND "targetEntityId" = %s AND '
                "\"relationshipType\" = 'household_has_person' AND \"deletedAt\" IS NOT NULL")
        c.query('UPDATE openfaith_edges SET "deletedAt" = now(), "deletedBy" = \'user_1\' WHERE "sourceEntityId" = %s AND '
                '"targetEntityId" = %s AND "relationshipType" = \'household_has_person\'', home, person)
        c.settle(ORG)
        c.query("INSERT INTO sync.work (org_id, adapter, direction, record_type, record_id, reason, waits_for) "
                "VALUES (%s, 'pco', 'in', 'Household', %s, 'edge', %s)", ORG, home_there, f"Person/{other}")
        c.settle(ORG)
        assert c.value(gone, home, person) == 1


@test(timeout=120)
def the_message_is_quicker_than_the_commit():
    """A scheduler tells of a poll before it has committed that it is owed: the worker does not take it for done."""
    with church("overtaken", people=40, env={"OF_STALLED_MS": 600000}) as c:
        c.schedulers[0].stop()
        c.add_scheduler(OF_FAILPOINTS="scheduler.after_produce=sleep:700")
        done = "SELECT done FROM sync.schedule WHERE org_id = %s AND kind = 'poll'"
        for _ in range(3):
            before = c.value(done, ORG)
            c.query("UPDATE sync.schedule SET due_at = now() WHERE kind = 'poll'")
            wait_until(lambda: c.value(done, ORG) > before, 20, "the poll", 0.1)  # noqa: B023


@test(timeout=120)
def named_by_others_while_it_is_held_back():
    """Somebody who is new there may be what a create of ours made, so it is left alone until that is known. Whatever names it waits
    meanwhile, and does not ask for it again and again."""
    with church("held", people=60, env={"OF_VISIBILITY_MS": "5000"}) as c:
        removed, email = c.query(
            "SELECT p.external_id, e.entity_id FROM sync.external_link e JOIN sync.external_link p ON p.org_id = e.org_id "
            "AND p.external_type = 'Person' AND 'Person/' || p.external_id = e.link_metadata ->> 'parent' "
            "WHERE e.external_type = 'Email' AND e.org_id = %s AND e.state = 'linked' ORDER BY 1, 2 LIMIT 1", ORG)[0]
        c.sim.fault("lost", 1, match="POST /people/v2/people", times=1)
        c.query('INSERT INTO openfaith_people (id, "orgId", "firstName", "lastName", "createdAt", "createdBy") '
                "VALUES (%s, %s, 'Ada', 'Lost', now(), 'user_1')", typeid("person", 5), ORG)
        wait_until(lambda: c.value("SELECT count(*) FROM sync.work WHERE intent IS NOT NULL"), 20, "it to be on its way", 0.02)
        keep = c.sim.do("POST", "/people/v2/people", {"first_name": "Ida", "last_name": "Kept"})["id"]
        c.sim.merge(keep, removed)
        since = seq(c)
        c.ctl("poll", ORG, "pco")
        wait_until(lambda: c.value("SELECT count(*) FROM sync.work WHERE record_type = 'Email' AND waits_for = %s", f"Person/{keep}"), 20,
                   "its e-mail address to wait", 0.02)
        c.settle(ORG)
        asked = [t for t in asked_since(c, since) if t.startswith(f"/people/v2/people/{keep}?")]
        assert len(asked) <= 30, f"asked for {len(asked)} times"
        person = c.value("SELECT entity_id FROM sync.external_link WHERE org_id = %s AND external_type = 'Person' AND external_id = %s",
                         ORG, keep)
        ends = c.query('SELECT "targetEntityId" FROM openfaith_edges WHERE "sourceEntityId" = %s AND "deletedAt" IS NULL', email)
        assert ends == [(person,)], (ends, person)
        poll(c)
        reconcile(c)
        c.assert_same(ORG)


def some_people(c, n):
    return c.query("SELECT l.entity_id, l.external_id FROM sync.external_link l JOIN openfaith_people p ON p.id = l.entity_id "
                   "WHERE l.org_id = %s AND l.external_type = 'Person' AND l.state = 'linked' ORDER BY l.external_id LIMIT %s", ORG, n)


def rename(c, people, name):
    for _, external in people:
        c.sim.do("PATCH", f"/people/v2/people/{external}", {"first_name": name})


def named(c, people):
    return [c.value('SELECT "firstName" FROM openfaith_people WHERE id = %s', person) for person, _ in people]


@test(timeout=120)
def what_cannot_be_written_stops_nobody():
    """Rows here that our own parser refuses (a number of 65 digits, nesting of 70): they become dead letters, everybody else arrives, and
    polls go on; so does a first sync that is repeated."""
    with church("poison", people=60) as c:
        people = some_people(c, 6)
        bad, good = people[1:3], [people[0]] + people[3:]
        for (person, _), value in zip(bad, ("1" * 65, "[" * 70 + "]" * 70)):
            c.query('UPDATE openfaith_people SET "customFields" = jsonb_build_array(jsonb_build_object(\'_tag\', \'number\', '
                    "'name', 'own', 'source', 'here', 'value', %s::jsonb)) WHERE id = %s", value, person)
        before = named(c, bad)
        rename(c, people, "Polled")
        poll(c)
        assert named(c, good) == ["Polled"] * len(good), named(c, good)
        assert named(c, bad) == before, named(c, bad)
        dead = c.query("SELECT record_id FROM sync.work WHERE org_id = %s AND state = 'dead' AND record_type = 'Person'", ORG)
        assert sorted(dead) == sorted((external,) for _, external in bad), dead
        rename(c, good, "Again")
        poll(c)
        assert named(c, good) == ["Again"] * len(good), named(c, good)
        assert c.value("SELECT max(attempts) FROM sync.schedule WHERE org_id = %s", ORG) == 0
        rename(c, people, "Synced")
        c.ctl("sync", ORG, "pco")
        c.settle(ORG, 60)
        assert named(c, good) == ["Synced"] * len(good), named(c, good)
        assert c.status(ORG)["state"] == "Active - Incremental Sync Enabled", c.status(ORG)


@test(timeout=90)
def mergers_that_are_refused():
    """The list of mergers is not for these credentials: status says so, people are polled all the same; when it is, nothing is said."""
    with church("mergers", people=60) as c:
        people = some_people(c, 4)
        c.sim.fault("status403", 1, match="person_mergers")
        for name in ("Once", "Twice"):
            rename(c, people, name)
            poll(c)
            assert named(c, people) == [name] * len(people), named(c, people)
        told = c.query("SELECT state, error FROM sync.status WHERE org_id = %s AND external_type = 'Person'", ORG)[0]
        assert told[0] == "active" and told[1].startswith("mergers cannot be read"), told
        c.ctl("sync", ORG, "pco")
        c.settle(ORG, 60)
        c.sim.clear_faults()
        poll(c)
        told = c.query("SELECT state, error FROM sync.status WHERE org_id = %s AND external_type = 'Person'", ORG)[0]
        assert told == ("active", None), told


@test(timeout=90)
def both_ends_are_missing():
    """A membership of which neither the group nor the person is known here: one after the other is read, and it is tied."""
    with church("ends", people=60) as c:
        edge, group, person = c.query(
            "SELECT l.external_id, b.seen -> '_rel' ->> 'group', b.seen -> '_rel' ->> 'person' FROM sync.external_link l "
            "JOIN sync.base b ON b.org_id = l.org_id AND b.link_id = l.id WHERE l.org_id = %s AND l.external_type = 'Membership' "
            "AND l.state = 'linked' ORDER BY 1 LIMIT 1", ORG)[0]
        for record in (f"Membership/{edge}", group, person):
            c.query("DELETE FROM sync.external_link WHERE org_id = %s AND external_type = %s AND external_id = %s", ORG,
                    *record.split("/"))
        c.query("INSERT INTO sync.work (org_id, adapter, direction, record_type, record_id, reason) "
                "VALUES (%s, 'pco', 'in', 'Membership', %s, 'list')", ORG, "@" + group.split("/")[1])
        c.settle(ORG, 60)
        state = c.value("SELECT state FROM sync.external_link WHERE org_id = %s AND external_type = 'Membership' AND external_id = %s",
                        ORG, edge)
        owed = c.query("SELECT record_type, record_id, state, reason, waits_for, error FROM sync.work WHERE org_id = %s", ORG)
        assert state == "linked" and not owed, (state, owed)


@test(timeout=90)
def by_the_clock():
    """`set --poll`: the schedule polls by itself, a stopped connection waits, resume polls at once."""
    with church("clock", people=100) as c:
        c.ctl("set", ORG, "pco", "--poll", "2")
        c.ctl("set", ORG, "pco", "--poll", "3600", "--type", "Donation")
        person = "SELECT count(*) FROM openfaith_people WHERE \"orgId\" = %s"
        gifts = 'SELECT count(*) FROM openfaith_donations WHERE "orgId" = %s'
        n, m = c.value(person, ORG), c.value(gifts, ORG)
        c.sim.edits("add", 3)
        c.sim.edits("add_donation", 3)
        wait_until(lambda: c.value(person, ORG) == n + 3, 20, "three new people")
        assert c.value(gifts, ORG) == m
        c.ctl("pause", ORG, "pco")
        c.sim.edits("add", 2)
        time.sleep(3)
        assert c.value(person, ORG) == n + 3
        c.ctl("set", ORG, "pco", "--poll", "3600")
        c.ctl("resume", ORG, "pco")
        wait_until(lambda: c.value(person, ORG) == n + 5, 20, "two more")
        wait_until(lambda: c.value(gifts, ORG) == m + 3, 20, "the gifts")
