# SPDX-License-Identifier: Apache-2.0
"""Both sides change the same: who wins, what is said about it, and what a person can do."""
import contextlib
import json
import time

from before import typeid
from harness import Cluster, wait_until
from runner import test

ORG = "conflict-church"
EX_USAGE, EX_TEMPFAIL = 64, 75


class Both:
    """One church here and there."""

    def __init__(self, c):
        self.c = c
        self.people = c.query("SELECT l.entity_id, l.external_id FROM sync.external_link l JOIN openfaith_people p ON p.id = l.entity_id "
                              "WHERE l.org_id = %s AND l.external_type = 'Person' AND l.state = 'linked' "
                              'AND p."firstName" IS NOT NULL ORDER BY length(l.external_id), l.external_id', ORG)

    def run(self, sql, *args):
        with contextlib.closing(self.c.db()) as db, db, db.cursor() as cur:
            cur.execute(sql, args)

    def here(self, person, age="0", **columns):
        sets = "".join(f', "{name}" = %s' for name in columns)
        self.run(f'UPDATE openfaith_people SET "updatedAt" = now() - interval \'{age}\', "updatedBy" = \'user_1\'{sets} WHERE id = %s',
                 *columns.values(), person)

    def there(self, external, **attributes):
        self.c.sim.do("PATCH", f"/people/v2/people/{external}", attributes)

    def sync(self):
        self.c.ctl("sync", ORG, "pco")
        self.c.settle(ORG, 60)

    def name(self, person):
        return self.c.value('SELECT "firstName" FROM openfaith_people WHERE id = %s', person)

    def name_there(self, external):
        return [r for r in self.c.sim.dump(1, "Person") if r["id"] == external][0]["attributes"]["first_name"]

    def both(self, i):
        person, external = self.people[i]
        return self.name(person), self.name_there(external)


def strategies(c, b):
    """Each strategy with both sides changed; by field; the newer by its clock."""
    for i, (strategy, age, wins) in enumerate((("chms_wins", "0", "There"), ("openfaith_wins", "1 hour", "Here"),
                                               ("last_write_wins", "1 hour", "There"), ("field_merge", "-1 minute", "Here"),
                                               ("chms_wins,Person.firstName=openfaith_wins", "1 hour", "Here"))):
        c.ctl("set", ORG, "pco", "--strategy", strategy)
        person, external = b.people[i]
        b.here(person, age, firstName=f"Here{i}", lastName=f"Kept{i}")
        b.there(external, first_name=f"There{i}")
        b.sync()
        assert b.both(i) == (f"{wins}{i}", f"{wins}{i}"), (strategy, b.both(i))
        # the other field was changed here only: it went out beside it
        last = [r for r in c.sim.dump(1, "Person") if r["id"] == external][0]["attributes"]["last_name"]
        assert last == f"Kept{i}", (strategy, last)
    shown = c.ctl_json("set", ORG, "pco", "--strategy", "Person.firstName=default,last_write_wins")
    assert shown["fieldStrategies"] == {} and shown["strategy"] == "last_write_wins", shown
    for bad in ("Person.nonsense=ask", "Nobody.firstName=ask", "Person.firstName=sometimes", "sometimes"):
        assert c.ctl("set", ORG, "pco", "--strategy", bad, check=False).returncode == EX_USAGE, bad


def explained(c, b):
    person, external = b.people[0]
    text = c.ctl("explain", ORG, person, "firstName").stdout
    assert "There0" in text and "Here0" in text and "chms_wins" in text and external in text, text
    told = c.ctl_json("explain", ORG, person, "firstName")
    assert told["value"] == "There0", told
    assert {"rule": "conflict: chms_wins", "old": "Here0", "new": "There0"}.items() <= told["history"][-1].items(), told
    ours = c.ctl("explain", ORG, b.people[1][0]).stdout  # all fields
    assert "sent" in ours and "conflict: openfaith_wins" in ours and "Here1" in ours, ours
    b.here(b.people[7][0], firstName="Byhand")
    assert "set in OpenFaith by user_1" in c.ctl("explain", ORG, b.people[7][0], "firstName").stdout
    assert c.ctl("explain", ORG, typeid("person", 424242), check=False).returncode == EX_USAGE


def asked(c, b):
    """Strategy ask: nothing moves until somebody says what."""
    c.ctl("set", ORG, "pco", "--strategy", "ask")
    for i in (8, 9, 10):
        b.here(b.people[i][0], firstName=f"Here{i}")
        b.there(b.people[i][1], first_name=f"There{i}")
    b.sync()
    for i in (8, 9, 10):
        assert b.both(i) == (f"Here{i}", f"There{i}"), b.both(i)
    open_ = {r["entityId"]: r for r in c.ctl_json("review", "list", ORG) if r["kind"] == "conflict"}
    assert len(open_) == 3, open_
    ids = [str(open_[b.people[i][0]]["review"]) for i in (8, 9, 10)]
    assert open_[b.people[8][0]]["detail"] == {"ours": "Here8", "theirs": "There8", "why": "ask"}, open_
    assert c.ctl("review", "accept", ids[0], check=False).returncode == EX_USAGE
    c.ctl("review", "accept", ids[0], "--take", "theirs")
    c.ctl("review", "accept", ids[1], "--take", "ours")
    # what moved meanwhile is asked again
    b.here(b.people[10][0], firstName="Moved10")
    done = c.ctl("review", "accept", ids[2], "--take", "ours", check=False)
    assert done.returncode == EX_TEMPFAIL, done
    shown = c.ctl_json("review", "show", ids[2])[0]
    assert shown["state"] == "open" and shown["detail"]["ours"] == "Moved10", shown
    c.ctl("review", "reject", ids[2])
    assert c.ctl("review", "reject", ids[2], check=False).returncode == EX_USAGE
    c.settle(ORG, 60)
    assert b.both(8) == ("There8", "There8"), b.both(8)
    assert b.both(9) == ("Here9", "Here9"), b.both(9)
    assert b.both(10) == ("Moved10", "There10"), b.both(10)
    assert "review: theirs by" in c.ctl("explain", ORG, b.people[8][0], "firstName").stdout
    c.ctl("set", ORG, "pco", "--strategy", "last_write_wins")


def respelled_by_a_trigger(c, b):
    """A trigger of OpenFaith's database respells what comes in: it stands so, and is not sent back."""
    b.run("CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.\"firstName\" := upper(NEW.\"firstName\"); "
          "RETURN NEW; END $$")
    b.run("CREATE TRIGGER shout BEFORE UPDATE ON openfaith_people FOR EACH ROW EXECUTE FUNCTION shout()")
    person, external = b.people[11]
    b.there(external, first_name="Quiet")
    b.sync()
    assert b.both(11) == ("QUIET", "Quiet"), b.both(11)
    c.ctl("push", ORG, "pco", person)
    c.settle(ORG, 60)
    assert b.both(11) == ("QUIET", "Quiet"), b.both(11)
    b.run("DROP TRIGGER shout ON openfaith_people")


def linked_by_hand(c, b):
    """unlink, link, push."""
    person, external = b.people[12]
    assert c.ctl("link", ORG, "pco", person, "Person", external, check=False).returncode == EX_USAGE, "linked already"
    c.ctl("unlink", ORG, "pco", "Person", external)
    b.there(external, first_name="Apart")
    b.here(person, firstName="Alone")
    b.sync()
    assert b.both(12) == ("Alone", "Apart"), "what is unlinked is left alone"
    assert c.ctl("push", ORG, "pco", person, check=False).returncode == EX_USAGE
    c.ctl("link", ORG, "pco", person, "Person", external)
    c.settle(ORG, 60)
    assert b.both(12) == ("Apart", "Apart"), b.both(12)
    fresh = typeid("person", 777001)
    b.run('INSERT INTO openfaith_people (id, "orgId", "firstName", "lastName", "createdAt", "createdBy") '
          "VALUES (%s, %s, 'Hand', 'Made', now(), 'user_1')", fresh, ORG)
    c.ctl("push", ORG, "pco", fresh)
    c.settle(ORG, 60)
    assert [r for r in c.sim.dump(1, "Person") if r["attributes"]["last_name"] == "Made"], "made there"
    told = c.ctl("explain", ORG, fresh, "lastName").stdout
    assert "set in OpenFaith" in told and "created there" in told and "by pco" not in told.split("history")[0], told


@test(timeout=240)
def conflicts():
    # no change reader: both edits stand before either is looked at; what goes out is what the merge hints
    with Cluster("conflict", people=60, workers=1, cdc=0) as c:
        c.connect(ORG, types=["Person"])
        c.wait_active(ORG, 60)
        c.settle(ORG, 60)
        b = Both(c)
        strategies(c, b)
        explained(c, b)
        asked(c, b)
        respelled_by_a_trigger(c, b)
        linked_by_hand(c, b)


TEXT_VALUES = ("FROM sync.external_link l JOIN sync.base x ON x.org_id = l.org_id AND x.link_id = l.id JOIN sync.external_link d "
               "ON d.org_id = l.org_id AND d.external_type = 'FieldDefinition' AND 'FieldDefinition/' || d.external_id = "
               "x.seen -> '_rel' ->> 'field_definition' JOIN openfaith_fields f ON f.id = d.entity_id WHERE l.org_id = %s "
               "AND l.external_type = 'FieldDatum' AND l.state = 'linked' AND f.type IN ('string', 'text') ")


def text_values(c, n):
    """Values of text fields, of a person each: [(person, their id, field's key)]."""
    rows = c.query(f"SELECT DISTINCT ON (l.entity_id) l.entity_id, l.external_id, f.key {TEXT_VALUES}"
                   f"ORDER BY l.entity_id, l.external_id LIMIT {n}", ORG)
    assert len(rows) == n, rows
    return rows


def several_texts(c):
    """A person with several: (person, their ids)."""
    return c.query(f"SELECT l.entity_id, array_agg(l.external_id) {TEXT_VALUES}GROUP BY 1 HAVING count(*) >= 2 ORDER BY 1 LIMIT 1", ORG)[0]


@test(timeout=240)
def values_of_custom_fields():
    """A value of a custom field that both sides changed: by the strategy, and by a person where she is asked."""
    with Cluster("conflict-values", people=80, workers=1, cdc=0) as c:
        c.connect(ORG, types=["Person", "FieldDatum"])
        c.wait_active(ORG, 60)
        c.settle(ORG, 60)
        b = Both(c)
        rows = text_values(c, 7)

        def both(i):
            person, external, key = rows[i]
            here = c.query('SELECT e ->> \'value\' FROM openfaith_people p, jsonb_array_elements("customFields") e '
                           "WHERE p.id = %s AND e ->> 'name' = %s", person, key)
            return (here[0][0] if here else None, [d["attributes"]["value"] for d in c.sim.dump(1, "FieldDatum") if d["id"] == external][0])

        def change(i, age="0"):
            person, external, key = rows[i]
            b.run('UPDATE openfaith_people SET "updatedAt" = now() - %s::interval, "updatedBy" = \'user_1\', "customFields" = '
                  "(SELECT jsonb_agg(CASE WHEN e ->> 'name' = %s THEN e || jsonb_build_object('value', %s::text) ELSE e END) "
                  'FROM jsonb_array_elements("customFields") e) WHERE id = %s', age, key, f"here{i}", person)
            c.sim.do("PATCH", f"/people/v2/field_data/{external}", {"value": f"there{i}"})

        for i, (strategy, age) in enumerate((("openfaith_wins", "1 hour"), ("chms_wins", "-1 hour"), ("last_write_wins", "-1 hour"),
                                             ("last_write_wins", "1 hour"))):
            c.ctl("set", ORG, "pco", "--strategy", strategy)
            change(i, age)
            b.sync()
            want = f"here{i}" if i in (0, 2) else f"there{i}"
            assert both(i) == (want, want), (strategy, age, both(i))
        c.ctl("set", ORG, "pco", "--strategy", ",".join(["last_write_wins"] + sorted({f"FieldDatum.{rows[i][2]}=ask" for i in (4, 5, 6)})))
        for i in (4, 5, 6):
            change(i)
        b.sync()
        for i in (4, 5, 6):
            assert both(i) == (f"here{i}", f"there{i}"), both(i)
        open_ = {r["entityId"]: str(r["review"]) for r in c.ctl_json("review", "list", ORG) if r["kind"] == "conflict"}
        c.ctl("review", "accept", open_[rows[4][0]], "--take", "theirs")
        c.ctl("review", "accept", open_[rows[5][0]], "--take", "ours")
        c.ctl("review", "reject", open_[rows[6][0]])
        c.settle(ORG, 60)
        assert [both(i) for i in (4, 5, 6)] == [("there4", "there4"), ("here5", "here5"), ("here6", "there6")], [both(i) for i in (4, 5, 6)]
        told = c.ctl("explain", ORG, rows[0][0], rows[0][2]).stdout
        assert "conflict: openfaith_wins" in told, told
        b.sync()
        assert both(6) == ("here6", "there6"), both(6)


def asks(c, external, since):
    """Requests about the person itself since then: their methods."""
    return [e["method"] for e in c.sim.requests(1)[since:] if e["target"].split("?")[0] == f"/people/v2/people/{external}"]


@test(timeout=240)
def before_it_is_sent():
    """With the change reader: what is changed here goes out at once, before any poll could tell what somebody changed there. Where the
    last word is theirs or a person's, theirs is read first; else only when the change has waited."""
    with Cluster("conflict-live", people=60, workers=1, env={"OF_PUSH_LOOK_MS": 1500}) as c:
        c.connect(ORG, types=["Person", "FieldDatum"])
        c.wait_active(ORG, 60)
        c.settle(ORG, 60)
        b = Both(c)

        def both_change(i, age="0"):
            c.ctl("poll", ORG, "pco")  # `set` makes one due: it shall not come in between
            c.settle(ORG, 60)
            since = len(c.sim.requests(1))
            b.there(b.people[i][1], first_name=f"There{i}")
            b.here(b.people[i][0], age, firstName=f"Here{i}", lastName=f"Kept{i}")
            c.settle(ORG, 60)
            last = [r for r in c.sim.dump(1, "Person") if r["id"] == b.people[i][1]][0]["attributes"]["last_name"]
            return asks(c, b.people[i][1], since), last, b.both(i)

        def strategy(text):
            """Settings make a poll due at once, which would read the edits before they are sent."""
            c.ctl("set", ORG, "pco", "--strategy", text)
            b.run("UPDATE sync.schedule SET due_at = now() + interval '1 day' WHERE kind IN ('poll', 'reconcile')")
            wait_until(lambda: c.value("SELECT count(*) FROM sync.schedule WHERE wanted > done") == 0, 30, "polls to end", 0.1)

        strategy("chms_wins")
        found = both_change(0)
        assert found == (["GET", "PATCH"], "Kept0", ("There0", "There0")), found
        strategy("last_write_wins,Person.firstName=ask")
        found = both_change(1)
        assert found == (["GET", "PATCH"], "Kept1", ("Here1", "There1")), found
        assert len([r for r in c.ctl_json("review", "list", ORG) if r["kind"] == "conflict"]) == 1
        strategy("Person.firstName=default")
        found = both_change(2)
        assert found == (["PATCH"], "Kept2", ("Here2", "Here2")), found
        # an edit that waited, and one there that is newer than it
        c.ctl("pause", ORG, "pco")
        b.here(b.people[3][0], firstName="Here3", lastName="Kept3")
        time.sleep(2.5)
        since = len(c.sim.requests(1))
        b.there(b.people[3][1], first_name="There3")
        c.ctl("resume", ORG, "pco")
        c.settle(ORG, 60)
        found = asks(c, b.people[3][1], since)  # resuming makes a poll due, too: what that reads meanwhile is read once more
        assert b.both(3) == ("There3", "There3") and found[0] == "GET" and found.count("PATCH") == 1, (b.both(3), found)
        text = c.ctl("explain", ORG, b.people[3][0], "firstName").stdout
        assert "last_write_wins, theirs newer" in text and "Here3" in text, text
        strategy("openfaith_wins")
        found = both_change(4, "1 hour")
        assert found == (["PATCH"], "Kept4", ("Here4", "Here4")), found
        # gone there when it is read
        strategy("chms_wins")
        c.sim.do("DELETE", f"/people/v2/people/{b.people[5][1]}")
        b.here(b.people[5][0], firstName="Gone")
        c.settle(ORG, 60)
        assert c.value('SELECT "deletedAt" IS NOT NULL FROM openfaith_people WHERE id = %s', b.people[5][0])


@test(timeout=120)
def sent_while_a_read_is_applied():
    """A change is planned while a poll that read the same record has not committed: its answer is compared with what the poll left, and
    what the poll took from them goes out again where ours had overwritten it."""
    with Cluster("conflict-beside", people=60, workers=0) as c:
        c.add_worker(OF_FAILPOINTS="worker.poll_staged=sleep:3000", OF_EXECUTORS=8, OF_PUSH_LOOK_MS=3600000)
        c.connect(ORG, types=["Person"])
        c.wait_active(ORG, 60)

        def beside(i, strategy, age, here, there):
            c.ctl("set", ORG, "pco", "--strategy", strategy)
            c.settle(ORG, 60)
            person, external = b.people[i]
            b.there(external, **there)
            since = len(c.sim.requests(1))
            c.ctl("poll", ORG, "pco")
            wait_until(lambda: not c.value("WITH l AS (SELECT FROM sync.external_link WHERE org_id = %s AND external_type = 'Person' "
                                           "AND external_id = %s FOR UPDATE SKIP LOCKED) SELECT count(*) FROM l", ORG, external),
                       30, "the poll to have staged it", 0.02)
            b.here(person, age, **here)
            wait_until(lambda: "PATCH" in asks(c, external, since), 30, "it to be sent", 0.02)
            assert c.value('SELECT "updatedBy" FROM openfaith_people WHERE id = %s', person) == "user_1", "the poll has committed: too late"
            c.settle(ORG, 60)
            return c.query('SELECT "firstName", "middleName", "lastName", name FROM openfaith_people WHERE id = %s', person)[0]

        c.settle(ORG, 60)
        b = Both(c)
        found = beside(0, "openfaith_wins", "0", {"firstName": "Here"}, {"last_name": "There"})  # and `name`, which cannot be sent
        assert found[0] == "Here" and found[2:] == ("There", "Here There"), found
        found = beside(1, "last_write_wins", "1 minute", {"middleName": "Here"}, {"middle_name": "Newer"})
        assert found[1] == "Newer", found
        c.assert_same(ORG)


@test(timeout=120)
def its_answer_is_lost():
    """A change arrives there and its answer does not; ours is changed again. What theirs says then is our own change and wins over nothing."""
    with Cluster("conflict-lost", people=40, workers=1, env={"OF_BACKOFF_MS": 3000, "OF_BACKOFF_MAX_MS": 6000}) as c:
        c.connect(ORG, types=["Person"])
        c.wait_active(ORG, 60)
        c.ctl("set", ORG, "pco", "--strategy", "chms_wins")
        c.settle(ORG, 60)
        b = Both(c)
        person, external = b.people[0]
        c.sim.fault("lost", 1, match="PATCH /people/v2/people", times=1)
        b.here(person, firstName="First")
        wait_until(lambda: b.name_there(external) == "First", 30, "it to arrive", 0.05)
        wait_until(lambda: c.value("SELECT attempts FROM sync.work WHERE record_id = %s", person), 30, "it to be tried again", 0.05)
        b.here(person, firstName="Second")
        c.settle(ORG, 60)
        assert b.both(0) == ("Second", "Second"), b.both(0)
        # taken back here, so nothing differs and nothing is sent; then another field is, and its answer shows what had arrived
        c.ctl("set", ORG, "pco", "--strategy", "openfaith_wins")
        c.settle(ORG, 60)
        person, external = b.people[1]
        was = b.name(person)
        c.sim.fault("lost", 1, match="PATCH /people/v2/people", times=1)
        b.here(person, firstName="First")
        wait_until(lambda: b.name_there(external) == "First", 30, "it to arrive", 0.05)
        wait_until(lambda: c.value("SELECT attempts FROM sync.work WHERE record_id = %s", person), 30, "it to be tried again", 0.05)
        b.here(person, firstName=was)
        wait_until(lambda: not c.value("SELECT count(*) FROM sync.work WHERE record_id = %s", person), 30, "nothing to be owed", 0.05)
        b.here(person, lastName="Moved")
        c.settle(ORG, 60)
        assert b.both(1) == (was, was), b.both(1)


@test(timeout=120)
def values_are_theirs_to_say():
    """A value of a custom field whose answer was lost, and one that is cleared here while they changed it."""
    with Cluster("conflict-value", people=80, workers=1, env={"OF_BACKOFF_MS": 3000, "OF_BACKOFF_MAX_MS": 6000}) as c:
        c.connect(ORG, types=["Person", "FieldDatum"])
        c.wait_active(ORG, 60)
        c.ctl("set", ORG, "pco", "--strategy", "chms_wins")
        c.settle(ORG, 60)
        b = Both(c)
        rows = text_values(c, 2)

        def here(i, value):
            person, _, key = rows[i]
            b.run('UPDATE openfaith_people SET "updatedAt" = now(), "updatedBy" = \'user_1\', "customFields" = (SELECT '
                  "coalesce(jsonb_agg(CASE WHEN e ->> 'name' = %s THEN e || jsonb_build_object('value', %s::text) ELSE e END), '[]') "
                  'FROM jsonb_array_elements("customFields") e WHERE %s OR e ->> \'name\' <> %s) WHERE id = %s',
                  key, value, value is not None, key, person)

        def both(i):
            person, external, key = rows[i]
            found = c.query('SELECT e ->> \'value\' FROM openfaith_people p, jsonb_array_elements("customFields") e '
                            "WHERE p.id = %s AND e ->> 'name' = %s", person, key)
            return [x[0] for x in found], [d["attributes"]["value"] for d in c.sim.dump(1, "FieldDatum") if d["id"] == external]

        c.sim.fault("lost", 1, match="PATCH /people/v2/field_data", times=1)
        here(0, "One")
        wait_until(lambda: both(0)[1] == ["One"], 30, "it to arrive", 0.05)
        wait_until(lambda: c.value("SELECT max(attempts) FROM sync.work WHERE record_type = 'FieldDatum'"), 30, "it to be tried again", 0.05)
        here(0, "Two")
        c.settle(ORG, 60)
        assert both(0) == (["Two"], ["Two"]), both(0)
        c.sim.do("PATCH", f"/people/v2/field_data/{rows[1][1]}", {"value": "There"})
        here(1, None)
        c.settle(ORG, 60)
        assert both(1) == (["There"], ["There"]), both(1)
        # several of one person in one save, each changed there
        person, several = several_texts(c)
        for ident in several:
            c.sim.do("PATCH", f"/people/v2/field_data/{ident}", {"value": "Theirs"})
        b.run('UPDATE openfaith_people SET "updatedAt" = now(), "updatedBy" = \'user_1\', "customFields" = (SELECT coalesce(jsonb_agg(e), '
              '\'[]\') FROM jsonb_array_elements("customFields") e WHERE e ->> \'name\' NOT IN (SELECT key FROM openfaith_fields WHERE type IN '
              "('string', 'text'))) WHERE id = %s", person)
        c.settle(ORG, 60)
        assert {d["id"]: d["attributes"]["value"] for d in c.sim.dump(1, "FieldDatum") if d["id"] in several} == dict.fromkeys(several, "Theirs")


@test(timeout=120)
def its_worker_dies():
    """A change arrives there and its worker is killed before it has stored the answer; ours is changed again, and wins."""
    with Cluster("conflict-kill", people=40, workers=1, env={"OF_LEASE_MS": 6000, "OF_HTTP_TIMEOUT_MS": 3000}) as c:
        c.connect(ORG, types=["Person"])
        c.wait_active(ORG, 60)
        c.ctl("set", ORG, "pco", "--strategy", "chms_wins")
        c.settle(ORG, 60)
        b = Both(c)
        person, external = b.people[0]
        c.workers[0].stop()
        victim = c.add_worker(OF_FAILPOINTS="push.before_store=kill@2")  # the first answer is the look at theirs
        victim.killed = True
        b.here(person, firstName="First")
        wait_until(lambda: not victim.alive(), 60, "the worker dies", 0.05)
        assert b.both(0) == ("First", "First"), b.both(0)
        b.here(person, firstName="Second")
        c.add_worker()
        c.settle(ORG, 60)
        assert b.both(0) == ("Second", "Second"), b.both(0)
        rules = c.query("SELECT rule FROM sync.journal WHERE org_id = %s AND entity_id = %s AND field = 'firstName'", ORG, person)
        assert ("sent, its answer was lost",) in rules, rules


def review_of(c, external_type, external, field=None):
    rows = c.query("SELECT id::text, kind, field, detail FROM sync.review WHERE org_id = %s AND state = 'open' AND external_type = %s "
                   "AND external_id = %s AND (%s::text IS NULL OR field = %s)", ORG, external_type, external, field, field)
    assert len(rows) == 1, rows
    return rows[0]


def ask_by_hand(c, external_type, external, entity_type, entity, field, ours, theirs):
    """A question as a push leaves it that they did not take: it is agreed on, and ours says something else than theirs."""
    c.query("UPDATE sync.base b SET agreed = coalesce(b.agreed, '{}') || jsonb_build_object(%s, %s::jsonb) FROM sync.external_link l "
            "WHERE l.org_id = %s AND l.external_type = %s AND l.external_id = %s AND b.org_id = l.org_id AND b.link_id = l.id",
            field, json.dumps(ours), ORG, external_type, external)
    c.query("INSERT INTO sync.review (org_id, adapter, kind, external_type, external_id, entity_type, entity_id, field, detail) "
            "VALUES (%s, 'pco', 'conflict', %s, %s, %s, %s, %s, %s)", ORG, external_type, external, entity_type, entity, field,
            json.dumps({"ours": ours, "theirs": theirs, "why": "they did not take it"}))
    return review_of(c, external_type, external, field)[0]


def relations_are_asked_about(c, b):
    """Both sides gave a person another campus."""
    campuses = c.query("SELECT external_id, entity_id FROM sync.external_link WHERE org_id = %s AND external_type = 'Campus' "
                       "AND state = 'linked' ORDER BY 1", ORG)
    assert len(campuses) >= 3, campuses
    edges = c.query('SELECT e."targetEntityId", l.external_id, e."relationshipType", e."sourceEntityId" FROM openfaith_edges e '
                    'JOIN sync.external_link l ON l.entity_id = e."targetEntityId" AND l.external_type = \'Person\' AND l.state = \'linked\' '
                    'WHERE e."orgId" = %s AND e."sourceEntityId" LIKE \'campus%%\' AND e."deletedAt" IS NULL '
                    'AND e."relationshipType" = \'campus_primary_campus_person\' ORDER BY 2 LIMIT 2', ORG)
    assert len(edges) == 2, c.query('SELECT "sourceEntityTypeTag", "targetEntityTypeTag", "relationshipType", count(*) '
                                    "FROM openfaith_edges GROUP BY 1, 2, 3")

    def campus_here(person):
        return [x[0] for x in c.query('SELECT "sourceEntityId" FROM openfaith_edges WHERE "targetEntityId" = %s AND "relationshipType" = %s '
                                      'AND "deletedAt" IS NULL', person, edges[0][2])]

    def campus_there(external):
        return [r for r in c.sim.dump(1, "Person") if r["id"] == external][0]["relationships"]["primary_campus"]["data"]["id"]
    asked_for = []
    for person, external, kind, was in edges:
        ours, theirs = [x for x in campuses if x[1] != was][:2]
        b.run('UPDATE openfaith_edges SET "deletedAt" = now(), "deletedBy" = \'user_1\' WHERE "targetEntityId" = %s AND '
              '"sourceEntityId" = %s', person, was)
        b.run('INSERT INTO openfaith_edges ("orgId", "sourceEntityId", "sourceEntityTypeTag", "targetEntityId", "targetEntityTypeTag", '
              '"relationshipType", "createdAt", "createdBy") VALUES (%s, %s, \'campus\', %s, \'person\', %s, now(), \'user_1\')',
              ORG, ours[1], person, kind)
        c.sim.do("PATCH", f"/people/v2/people/{external}", relationships={"primary_campus": {"data": {"type": "Campus", "id": theirs[0]}}})
        asked_for.append((person, external, ours, theirs))
    b.sync()
    for (person, external, ours, theirs), take in zip(asked_for, ("theirs", "ours")):
        ident, _, field, detail = review_of(c, "Person", external)
        assert field == "_rel.primary_campus" and detail["ours"] == f"Campus/{ours[0]}", (field, detail)
        assert campus_here(person) == [ours[1]] and campus_there(external) == theirs[0]
        assert "accepted" in c.ctl("review", "accept", ident, "--take", take).stdout
    c.settle(ORG, 60)
    person, external, ours, theirs = asked_for[0]
    assert campus_here(person) == [theirs[1]] and campus_there(external) == theirs[0], (campus_here(person), campus_there(external))
    person, external, ours, theirs = asked_for[1]
    assert campus_here(person) == [ours[1]] and campus_there(external) == ours[0], (campus_here(person), campus_there(external))


def parts_are_asked_about(c, b):
    """Values of fields and memberships that they did not take."""
    def there(kind, external):
        return [r for r in c.sim.dump(1, kind) if r["id"] == external][0]["attributes"]
    values = c.query("SELECT l.external_id, l.entity_id, e ->> 'name', b.seen ->> 'value' FROM sync.external_link l "
                     "JOIN sync.base b ON b.org_id = l.org_id AND b.link_id = l.id JOIN openfaith_people p ON p.id = l.entity_id "
                     "JOIN openfaith_fields f ON f.type IN ('string', 'text') AND f.\"orgId\" = l.org_id "
                     "CROSS JOIN LATERAL jsonb_array_elements(p.\"customFields\") e "
                     "WHERE l.org_id = %s AND l.external_type = 'FieldDatum' AND l.state = 'linked' AND e ->> 'name' = f.key "
                     "AND e ->> 'value' = b.seen ->> 'value' ORDER BY 1 LIMIT 2", ORG)
    assert len(values) == 2, values

    def value_here(person, key):
        return [x[0] for x in c.query('SELECT e ->> \'value\' FROM openfaith_people, jsonb_array_elements("customFields") e '
                                      "WHERE id = %s AND e ->> 'name' = %s", person, key)]
    for (external, person, key, was), take in zip(values, ("theirs", "ours")):
        b.run('UPDATE openfaith_people SET "updatedAt" = now(), "customFields" = (SELECT jsonb_agg(CASE WHEN e ->> \'name\' = %s THEN '
              'e || \'{"value": "Ours"}\' ELSE e END) FROM jsonb_array_elements("customFields") e) WHERE id = %s', key, person)
        ident = ask_by_hand(c, "FieldDatum", external, "person", person, "value", "Ours", was)
        assert "accepted" in c.ctl("review", "accept", ident, "--take", take).stdout
    c.settle(ORG, 60)
    external, person, key, was = values[0]
    assert (value_here(person, key), there("FieldDatum", external)["value"]) == ([was], was), value_here(person, key)
    external, person, key, _ = values[1]
    assert (value_here(person, key), there("FieldDatum", external)["value"]) == (["Ours"], "Ours"), value_here(person, key)

    members = c.query("SELECT l.external_id, l.entity_id, b.seen ->> 'role' FROM sync.external_link l "
                      "JOIN sync.base b ON b.org_id = l.org_id AND b.link_id = l.id WHERE l.org_id = %s AND l.external_type = 'Membership' "
                      "AND l.state = 'linked' AND b.seen ->> 'role' = 'member' ORDER BY 1 LIMIT 3", ORG)

    def role_here(edge):
        return c.value('SELECT metadata ->> \'role\' FROM openfaith_edges WHERE "sourceEntityId" || \'|\' || "targetEntityId" || \'|\' || '
                       '"relationshipType" = %s', edge)
    for (external, edge, was), take in zip(members, ("theirs", "ours", None)):
        b.run('UPDATE openfaith_edges SET "updatedAt" = now(), metadata = metadata || \'{"role": "leader"}\' WHERE '
              '"sourceEntityId" || \'|\' || "targetEntityId" || \'|\' || "relationshipType" = %s', edge)
        ident = ask_by_hand(c, "Membership", external, "edge", edge, "role", "leader", was)
        c.ctl("review", *(("accept", ident, "--take", take) if take else ("reject", ident)))
    c.settle(ORG, 60)
    assert [(role_here(edge), there("Membership", external)["role"]) for external, edge, _ in members] == [
        ("member", "member"), ("leader", "leader"), ("leader", "member")]


def deleted_here(c, b):
    """A row that is deleted for good, not only marked, may be deleted there as well; what lives again closes the question."""
    person, external = b.people[20]
    again, external_again = b.people[21]
    for ident in (person, again):
        b.run('UPDATE openfaith_people SET "deletedAt" = now(), "deletedBy" = \'user_1\' WHERE id = %s', ident)
        c.query("INSERT INTO sync.work (org_id, adapter, direction, record_type, record_id) VALUES (%s, 'pco', 'out', 'person', %s)", ORG, ident)
    c.settle(ORG, 60)
    b.run("DELETE FROM openfaith_people WHERE id = %s", person)
    b.run('UPDATE openfaith_people SET "deletedAt" = NULL, "deletedBy" = NULL WHERE id = %s', again)
    done = c.ctl("review", "accept", review_of(c, "Person", external_again)[0], check=False)
    assert done.returncode == EX_USAGE and "no longer so" in done.stderr and "accepted" not in done.stdout, done
    assert "accepted" in c.ctl("review", "accept", review_of(c, "Person", external)[0]).stdout
    c.settle(ORG, 60)
    alive = {r["id"] for r in c.sim.dump(1, "Person")}
    assert external not in alive and external_again in alive


@test(timeout=240)
def every_question_can_be_settled():
    with Cluster("reviews", people=60, workers=1, cdc=0) as c:
        c.connect(ORG)
        c.wait_active(ORG, 90)
        c.settle(ORG, 60)
        b = Both(c)
        c.ctl("set", ORG, "pco", "--strategy", "ask")
        relations_are_asked_about(c, b)
        c.ctl("set", ORG, "pco", "--strategy", "last_write_wins")
        parts_are_asked_about(c, b)
        deleted_here(c, b)
