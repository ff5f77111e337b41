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


@test(timeout=240)
def values_of_custom_fields():
    """A value of a custom field that both sides changed: by the strategy, and by a person where she is asked."""
    with Cluster("conflict-values", people=80, workers=1, cdc=0) as c:
        c.connect(ORG, types=["Person", "FieldDatum"])
        c.wait_active(ORG, 60)
        c.settle(ORG, 60)
        b = Both(c)
        rows = c.query("SELECT DISTINCT ON (l.entity_id) l.entity_id, l.external_id, f.key FROM sync.external_link l "
                       "JOIN sync.base x ON x.org_id = l.org_id AND x.link_id = l.id JOIN sync.external_link d ON d.org_id = l.org_id "
                       "AND d.external_type = 'FieldDefinition' AND 'FieldDefinition/' || d.external_id = "
                       "x.seen -> '_rel' ->> 'field_definition' JOIN openfaith_fields f ON f.id = d.entity_id "
                       "WHERE l.org_id = %s AND l.external_type = 'FieldDatum' AND l.state = 'linked' AND f.type IN ('string', 'text') "
                       "ORDER BY l.entity_id, l.external_id LIMIT 7", ORG)
        assert len(rows) == 7, rows

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
        assert b.both(3) == ("There3", "There3") and asks(c, b.people[3][1], since) == ["GET", "PATCH"], b.both(3)
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


CAUSES = (("permanent", "$.attributes.birthdate: expected a date, got \"{n}\""), ("permanent", "record {n} is too large"),
          ("permanent", "refused: 'Name{n}' is taken"), ("retry", "timeout after {n} ms"), ("permanent", "transform failed"))


def make_dead(b, n):
    """Rows as failures leave them; every one of the records is fine by now."""
    people = b.people
    rows = []
    for i in range(n):
        cls, words = CAUSES[i % len(CAUSES)]
        known = i < len(people)
        rows.append((people[i][1] if known else str(9000000 + i), cls, words.replace("{n}", str(i))))
    with contextlib.closing(b.c.db()) as db, db, db.cursor() as cur:
        cur.execute("INSERT INTO sync.work (org_id, adapter, direction, record_type, record_id, state, error_class, error, attempts, "
                    "reason) SELECT %s, 'pco', 'in', 'Person', x.id, 'dead', x.cls, x.words, 3, 'bad record' "
                    "FROM unnest(%s::text[], %s::text[], %s::text[]) AS x (id, cls, words)",
                    (ORG, [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows]))


def replay(c, b, n):
    make_dead(b, n)
    stats = c.ctl_json("dlq", "stats", ORG)
    assert len(stats) == len(CAUSES) and sum(s["count"] for s in stats) == n, stats
    first = next(s for s in stats if "birthdate" in s["example"])
    assert first["count"] == n // len(CAUSES), first
    before = c.query('SELECT id, xmin::text FROM openfaith_people WHERE "orgId" = %s ORDER BY 1', ORG)
    told = c.ctl("dlq", "replay", ORG, "--cause", first["cause"], "--dry-run", "--limit", "3").stdout
    assert "read again" in told and "3 dead letters would be replayed" in told, told
    assert len(c.ctl_json("dlq", "list", ORG, "--cause", first["cause"], "--limit", "100000")) == first["count"], "nothing was done"
    # a newer state is there: theirs changed after the letter died
    b.there(b.people[0][1], first_name="Newer")
    done = c.ctl_json("dlq", "replay", ORG, "--cause", first["cause"], "--rate", "100000", "--reason", "fixed")
    assert done == {"replayed": first["count"], "found": first["count"]}, done
    again = c.ctl_json("dlq", "replay", ORG, "--cause", first["cause"])
    assert again["replayed"] == 0, again
    return before, first


@test(timeout=240)
def dead_letters():
    """Five causes; replay by cause, twice is once; discard; masks."""
    with Cluster("dead-letters", people=60, workers=1) as c:
        c.connect(ORG, types=["Person"])
        c.wait_active(ORG, 60)
        c.settle(ORG, 60)
        b = Both(c)
        n = 300
        before, first = replay(c, b, n)
        c.settle(ORG, 90)
        after = c.query('SELECT id, xmin::text FROM openfaith_people WHERE "orgId" = %s ORDER BY 1', ORG)
        assert {x[0] for x in set(before) ^ set(after)} == {b.people[0][0]}, "what was the same is not written again"
        assert b.name(b.people[0][0]) == "Newer"
        assert c.value("SELECT count(*) FROM sync.journal WHERE org_id = %s AND rule = 'dead letter replayed' "
                       "AND new ->> 'reason' = 'fixed' AND new ->> 'cause' = %s", ORG, first["cause"]) == first["count"]
        left = n - first["count"]
        assert c.value("SELECT count(*) FROM sync.work WHERE org_id = %s AND state = 'dead'", ORG) == left
        lines = c.ctl("dlq", "export", ORG).stdout.splitlines()
        assert len(lines) == left and all(json.loads(line)["org"] == ORG for line in lines)
        b.run("UPDATE sync.work SET intent = '{\"sent\":{\"firstName\":\"Secret\"}}' WHERE org_id = %s AND record_id = %s", ORG,
              json.loads(lines[0])["id"])
        shown = ("dlq", "show", ORG, "pco", "Person", json.loads(lines[0])["id"])
        assert "Secret" not in c.ctl(*shown).stdout and "***" in c.ctl(*shown).stdout
        assert "Secret" in c.ctl(*shown, "--unmask").stdout
        assert c.ctl("dlq", "discard", ORG, check=False).returncode == EX_USAGE, "why?"
        assert c.ctl_json("dlq", "discard", ORG, "--reason", "test", "--since", "1h")["discarded"] == left
        assert c.value("SELECT count(*) FROM sync.work WHERE org_id = %s AND state = 'dead'", ORG) == 0
