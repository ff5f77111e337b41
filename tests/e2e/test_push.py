# SPDX-License-Identifier: Apache-2.0
"""What changes in OpenFaith reaches Planning Center: once, only what differs, in the right order."""
import contextlib
import json
import os
import time

from before import typeid
from harness import Cluster
from procs import wait_until
from runner import test

ORG = "push-church"
NUMBERS = iter(range(900000, 990000))


class Church:
    """OpenFaith's side, as its application writes it; every write hints what it is about."""

    def __init__(self, cluster, org=ORG):
        self.c, self.org = cluster, org

    def run(self, sql, *args):
        with contextlib.closing(self.c.db()) as db, db, db.cursor() as cur:
            cur.execute(sql, args)
            return cur.fetchall() if cur.description else None

    def hint(self, *rows, reason="change"):
        """Rows as the change reader's events make them, where there is none."""
        for kind, ident in rows:
            self.run("INSERT INTO sync.work AS w (org_id, adapter, direction, record_type, record_id, reason) "
                     "VALUES (%s, 'pco', 'out', %s, %s, %s) ON CONFLICT (org_id, adapter, direction, record_type, record_id) "
                     "DO UPDATE SET gen = w.gen + 1", self.org, kind, ident, reason)

    def entity(self, table, prefix, ident=None, **columns):
        ident = ident or typeid(prefix, next(NUMBERS))
        names = "".join(f', "{name}"' for name in columns)
        marks = ", %s" * len(columns)
        self.run(f'INSERT INTO public."{table}" (id, "orgId", "createdAt", "createdBy"{names}) VALUES (%s, %s, now(), %s{marks})',
                 ident, self.org, "user_1", *columns.values())
        return ident

    def edge(self, source, target, kind, metadata=None):
        self.run('INSERT INTO openfaith_edges ("orgId", "sourceEntityId", "sourceEntityTypeTag", "targetEntityId", '
                 '"targetEntityTypeTag", "relationshipType", metadata, "createdAt", "createdBy") VALUES '
                 "(%s, %s, %s, %s, %s, %s, %s, now(), 'user_1')", self.org, source, source.split("_")[0], target,
                 kind.split("_")[-1], kind, json.dumps(metadata or {}))
        return f"{source}|{target}|{kind}"

    def update(self, table, ident, **columns):
        sets = "".join(f', "{name}" = %s' for name in columns)
        self.run(f'UPDATE public."{table}" SET "updatedAt" = now(), "updatedBy" = \'user_1\'{sets} WHERE id = %s',
                 *columns.values(), ident)

    def external(self, ident, state="linked"):
        rows = self.run("SELECT external_id FROM sync.external_link WHERE org_id = %s AND entity_id = %s AND state = %s",
                        self.org, ident, state)
        return rows[0][0] if len(rows) == 1 else [r[0] for r in rows]

    def linked(self, kind, n=1, where="true"):
        """Linked records: [(entity id, external id)]."""
        return self.run("SELECT entity_id, external_id FROM sync.external_link l WHERE org_id = %s AND external_type = %s "
                        f"AND state = 'linked' AND {where} ORDER BY length(external_id), external_id LIMIT {n}", self.org, kind)


def writes(c, since=0):
    """Writing requests of the ledger: [(method, path)]."""
    out = []
    for e in c.sim.requests(1):
        if e["method"] != "GET" and e["seq"] >= since:
            out.append((e["method"], e["target"].split("?")[0], e.get("status"), e.get("names")))
    return out


def next_seq(c):
    return max((e["seq"] for e in c.sim.ledger()), default=0) + 1


def settled(c, org=ORG, timeout=60):
    c.settle(org, timeout)
    dead = c.query("SELECT direction, record_type, record_id, state, error FROM sync.work WHERE org_id = %s "
                   "AND state IN ('dead', 'parked')", org)
    assert not dead, dead


def record(c, kind, ident):
    found = [r for r in c.sim.dump(1, kind) if r["id"] == ident]
    return found[0] if found else None


def edits_one_field(c, church):
    person, external = church.linked("Person", where="EXISTS (SELECT FROM openfaith_people p WHERE p.id = l.entity_id "
                                     "AND \"firstName\" IS NOT NULL)")[0]
    since = next_seq(c)
    church.update("openfaith_people", person, firstName="Grace")
    church.hint(("person", person))
    settled(c)
    assert writes(c, since) == [("PATCH", f"/people/v2/people/{external}", 200, writes(c, since)[0][3])], writes(c, since)
    assert writes(c, since)[0][3] in (["first_name"], "first_name"), writes(c, since)
    assert record(c, "Person", external)["attributes"]["first_name"] == "Grace"
    church.hint(("person", person))  # nothing differs any more: nothing is sent
    settled(c)
    assert len(writes(c, since)) == 1, writes(c, since)
    rows = c.query("SELECT field, new::text FROM sync.journal WHERE org_id = %s AND entity_id = %s AND rule = 'sent'", ORG, person)
    assert rows == [("firstName", '"Grace"')], rows


def answer(c, kind, ident):
    found = record(c, kind, ident)
    assert found, (kind, ident)
    return found["attributes"]


def household_and_group(c, church, person):
    """A household carries its people and its contact; a member of a group is a record of its own."""
    since = next_seq(c)
    other = church.linked("Person")[0]
    home = typeid("household", next(NUMBERS))
    church.edge(home, person, "household_has_person")  # before the household: each is a transaction, and it would go with the first
    church.edge(home, other[0], "household_has_person")
    church.edge(home, person, "household_primary_contact_person")
    church.entity("openfaith_households", "household", home, name="Lovelace")
    settled(c)
    created = [w for w in writes(c, since) if w[0] == "POST"]
    assert [w[1] for w in created] == ["/people/v2/households"], writes(c, since)
    ident = church.external(home)
    members = record(c, "Household", ident)["relationships"]["people"]["data"]
    assert sorted(m["id"] for m in members) == sorted([church.external(person), other[1]]), members
    since = next_seq(c)
    third = church.linked("Person", 2)[1]
    church.edge(home, third[0], "household_has_person")
    settled(c)
    assert [w[:2] for w in writes(c, since)] == [("POST", f"/people/v2/households/{ident}/household_memberships")], writes(c, since)
    members = record(c, "Household", ident)["relationships"]["people"]["data"]
    assert len(members) == 3, members
    group, group_external = church.linked("Group", where="NOT EXISTS (SELECT FROM openfaith_groups g WHERE g.id = l.entity_id "
                                          "AND g.\"archivedAt\" IS NOT NULL)")[0]
    since = next_seq(c)
    key = church.edge(group, person, "group_has_person", {"role": "leader"})
    settled(c)
    assert [w[:2] for w in writes(c, since)] == [("POST", f"/groups/v2/groups/{group_external}/memberships")], writes(c, since)
    assert answer(c, "Membership", church.external(key))["role"] == "leader"
    church.run('UPDATE openfaith_edges SET metadata = metadata || \'{"role":"member"}\', "updatedAt" = now() WHERE "orgId" = %s '
               'AND "sourceEntityId" = %s AND "targetEntityId" = %s', church.org, group, person)
    settled(c)
    assert [w[0] for w in writes(c, since)] == ["POST", "PATCH"], writes(c, since)
    assert answer(c, "Membership", church.external(key))["role"] == "member"
    since = next_seq(c)
    church.update("openfaith_groups", group, name="Choir of Ada", description="theirs alone")
    settled(c)
    assert [w[:2] for w in writes(c, since)] == [("PATCH", f"/groups/v2/groups/{group_external}")], writes(c, since)


def field_data(c, church, person):
    """A value of a custom field is made, changed and cleared."""
    key = church.run("SELECT key FROM openfaith_fields WHERE \"orgId\" = %s AND type IN ('string', 'text') AND \"deletedAt\" IS NULL "
                     "ORDER BY id LIMIT 1", church.org)[0][0]
    external = church.external(person)

    def set_value(value):
        element = [] if value is None else [{"_tag": "string", "name": key, "source": "pco", "value": value}]
        church.run('UPDATE openfaith_people SET "updatedAt" = now(), "customFields" = (SELECT coalesce(jsonb_agg(e), \'[]\') FROM '
                   'jsonb_array_elements("customFields") e WHERE e ->> \'name\' <> %s) || %s::jsonb WHERE id = %s',
                   key, json.dumps(element), person)
        settled(c)

    def theirs():
        return [d["attributes"]["value"] for d in c.sim.dump(1, "FieldDatum")
                if d["relationships"]["customizable"]["data"]["id"] == external]

    since = next_seq(c)
    set_value("blue")
    assert theirs() == ["blue"], theirs()
    set_value("green")
    assert theirs() == ["green"], theirs()
    set_value(None)
    assert theirs() == [], theirs()
    assert [w[0] for w in writes(c, since)] == ["POST", "PATCH", "DELETE"], writes(c, since)


def gift(c, church, person):
    """A gift goes with its designations, into its batch."""
    since = next_seq(c)
    fund = church.linked("Fund")[0][0]
    source = church.linked("PaymentSource", where="external_id <> 'planning_center'")[0][0]
    batch = church.entity("openfaith_batches", "batch", description="Sunday")
    donation = church.entity("openfaith_donations", "donation", amountCents=1500, paymentMethod="cash")
    church.edge(batch, donation, "batch_has_donation")
    church.edge(donation, person, "donation_has_person")
    church.edge(donation, source, "donation_payment_source_paymentSource")
    part = church.entity("openfaith_designations", "designation", amountCents=1500)
    church.edge(part, donation, "designation_has_donation")
    church.edge(part, fund, "designation_has_fund")
    settled(c)
    assert [w[0] for w in writes(c, since)] == ["POST", "POST"], writes(c, since)
    assert answer(c, "Donation", church.external(donation))["amount_cents"] == 1500
    assert isinstance(church.external(part), str), church.external(part)


def deletions(c, church, email):
    """Off: a person is asked, once. On: it is deleted there."""
    since = next_seq(c)
    external = church.external(email)
    gone = 'UPDATE openfaith_emails SET "deletedAt" = now(), "deletedBy" = \'user_1\' WHERE id = %s'
    church.run(gone, email)
    settled(c)
    asked = c.query("SELECT kind, external_id FROM sync.review WHERE org_id = %s AND state = 'open' AND kind = 'delete'", ORG)
    assert asked == [("delete", external)] and not writes(c, since), (asked, writes(c, since))
    church.run("UPDATE sync.connection SET delete_there = true, generation = generation + 1 WHERE org_id = %s", ORG)
    church.run("UPDATE sync.schedule SET generation = generation + 1 WHERE org_id = %s", ORG)
    church.run('UPDATE openfaith_emails SET "updatedAt" = now() WHERE id = %s', email)
    settled(c)
    assert [w[:3] for w in writes(c, since)] == [("DELETE", f"/people/v2/emails/{external}", 204)], writes(c, since)
    assert record(c, "Email", external) is None
    assert church.external(email, "deleted") == external
    # a member who left; one whose record there has not been read yet
    home, person = church.run('SELECT "sourceEntityId", "targetEntityId" FROM openfaith_edges WHERE "orgId" = %s AND "deletedAt" IS NULL '
                              'AND "relationshipType" = \'household_has_person\' AND "createdBy" = \'user_1\' ORDER BY "createdAt" '
                              'OFFSET 1 LIMIT 1', church.org)[0]
    since = next_seq(c)
    church.run('UPDATE openfaith_edges SET "deletedAt" = now(), "deletedBy" = \'user_1\' WHERE "sourceEntityId" = %s '
               'AND "targetEntityId" = %s AND "relationshipType" = \'household_has_person\'', home, person)
    settled(c)
    assert [w[0] for w in writes(c, since)] == ["DELETE"], writes(c, since)
    members = record(c, "Household", church.external(home))["relationships"]["people"]["data"]
    assert church.external(person) not in [m["id"] for m in members], members


def no_echo(c):
    """After all that a poll and a look at everything find nothing to send or to change."""
    since = next_seq(c)
    c.ctl("sync", ORG, "pco")
    c.wait_active(ORG, 60)
    settled(c)
    assert not writes(c, since), writes(c, since)


def creates_in_order(c, church):
    since = next_seq(c)
    person = church.entity("openfaith_people", "person", firstName="Ada", lastName="Lovelace", type="default", status="active")
    email = church.entity("openfaith_emails", "email", address="ada@example.org", primary=True, location="Home")
    phone = church.entity("openfaith_phoneNumbers", "phonenumber", number="+15550100123", primary=True, location="Mobile")
    church.edge(email, person, "email_has_person")
    church.edge(person, phone, "person_has_phoneNumber")
    church.hint(("email", email), ("phoneNumber", phone), ("person", person))
    settled(c)
    external = church.external(person)
    assert isinstance(external, str), external
    done = writes(c, since)
    assert [w[:2] for w in done][0] == ("POST", "/people/v2/people") and sorted(w[1] for w in done[1:]) == [
        f"/people/v2/people/{external}/emails", f"/people/v2/people/{external}/phone_numbers"], done
    assert record(c, "Email", church.external(email))["attributes"]["address"] == "ada@example.org"
    assert c.value("SELECT last_processed_at IS NOT NULL AND link_metadata ->> 'path' IS NOT NULL FROM sync.external_link "
                   "WHERE org_id = %s AND entity_id = %s", ORG, email)
    church.hint(("email", email), ("phoneNumber", phone), ("person", person))
    settled(c)
    assert len(writes(c, since)) == 3, writes(c, since)
    return person, email


@test(timeout=240)
def everyday():
    """One church: an edit, a person with contacts, a household, a group's member, field data, a gift, deletions."""
    with Cluster("push", people=60) as c:
        church = Church(c)
        c.connect(ORG)
        c.wait_active(ORG, 60)
        settled(c)
        assert not writes(c), "the first sync sends nothing back"
        c.sim.post("/_sim/settings", {"org": 1, "respell": "phone,email,name"})  # nothing of it is sent back or again
        edits_one_field(c, church)
        person, email = creates_in_order(c, church)
        household_and_group(c, church, person)
        field_data(c, church, person)
        gift(c, church, person)
        deletions(c, church, email)
        no_echo(c)


def three_people(church, mark):
    return [church.entity("openfaith_people", "person", firstName=f"{mark}{n}", lastName="Kill", type="default", status="active")
            for n in range(3)]


def one_each(c, church, people, mark):
    theirs = [r for r in c.sim.dump(1, "Person") if (r["attributes"]["first_name"] or "").startswith(mark)]
    assert sorted(r["attributes"]["first_name"] for r in theirs) == sorted(f"{mark}{n}" for n in range(3)), (
        [r["attributes"]["first_name"] for r in theirs], c.owed())
    assert sorted(r["id"] for r in theirs) == sorted(church.external(p) for p in people)
    ours = church.run('SELECT count(*) FROM openfaith_people WHERE "orgId" = %s AND "firstName" LIKE %s AND "deletedAt" IS NULL',
                      church.org, mark + "%")
    assert ours == [(3,)], ours


@test(timeout=240)
def never_doubled():
    """Killed at each point of a create, and answers lost on the way: one record each, linked."""
    with Cluster("push-kill", people=20, env={"OF_VISIBILITY_MS": 500}) as c:
        church = Church(c)
        c.connect(ORG)
        c.wait_active(ORG, 60)
        settled(c)
        for number, point in enumerate(("push.before_send", "push.after_send", "push.before_store")):
            mark = f"K{number}x"
            c.workers[-1].kill9()
            victim = c.add_worker(OF_FAILPOINTS=f"{point}=kill@2")
            people = three_people(church, mark)
            church.hint(*[("person", p) for p in people])
            wait_until(lambda: not victim.alive(), 30, f"{point}: the worker dies")
            c.add_worker()
            settled(c, timeout=60)
            one_each(c, church, people, mark)
        for number, kind in enumerate(("lost", "truncate_json", "late")):
            mark = f"L{number}x"
            # late: when we have given up, but before anybody may look
            c.sim.fault(kind, 1, match="POST /people/v2/people", times=2, delay_ms=3000)
            people = three_people(church, mark)
            church.hint(*[("person", p) for p in people])
            settled(c, timeout=60)
            one_each(c, church, people, mark)


@test(timeout=300)
def every_byte():
    """The connection is cut at every point of a create's exchange, one record per cut, all at once: one record each, linked."""
    step = 1 if os.environ.get("OF_TEST_LONG") else 16
    with Cluster("push-bytes", people=20, env={"OF_VISIBILITY_MS": 500}) as c:
        church = Church(c)
        c.connect(ORG)
        c.wait_active(ORG, 60)
        settled(c)
        c.sim.fault("cut_each", 1, match="POST /people/v2/people", arg=0, step=step, times=2600 // step)
        people = [church.entity("openfaith_people", "person", firstName=f"Byte{n}", lastName="Cut", type="default", status="active")
                  for n in range(2600 // step)]
        church.hint(*[("person", p) for p in people[:5]])
        settled(c, timeout=240)
        theirs = {}
        for r in c.sim.dump(1, "Person"):
            if (r["attributes"]["first_name"] or "").startswith("Byte"):
                theirs.setdefault(r["attributes"]["first_name"], []).append(r["id"])
        doubled = {name: ids for name, ids in theirs.items() if len(ids) > 1}
        assert not doubled and len(theirs) == len(people), (len(theirs), doubled)
        linked = dict(c.query("SELECT external_id, entity_id FROM sync.external_link WHERE org_id = %s AND external_type = 'Person' "
                              "AND state = 'linked' AND entity_id = ANY (%s)", ORG, people))
        assert sorted(linked) == sorted(ids[0] for ids in theirs.values())
        cuts = [e for e in c.sim.requests(1) if e.get("cut") is not None]
        assert len(cuts) > 1500 // step, len(cuts)


def unlinked_person(church, name):
    return church.entity("openfaith_people", "person", firstName=name, lastName="Mode", type="default", status="active")


@test(timeout=240)
def by_mode():
    """What is only here: made there in the modes bidirectional and openfaith, kept for a person to decide in mode chms."""
    with Cluster("push-modes", people=20, orgs=3) as c:
        for index, mode in enumerate(("bidirectional", "openfaith", "chms"), 1):
            org = f"push-{mode}"
            church = Church(c, org)
            before = unlinked_person(church, "Before")
            c.connect(org, org_index=index, mode=mode)
            c.wait_active(org, 90)
            c.settle(org, 60)
            after = unlinked_person(church, "After")
            church.hint(("person", after))
            c.settle(org, 60)
            posted = [e["target"].split("?")[0] for e in c.sim.requests(index) if e["method"] == "POST"]
            names = sorted(r["attributes"]["first_name"] for r in c.sim.dump(index, "Person")
                           if r["attributes"]["last_name"] == "Mode")
            wanted = [] if mode == "chms" else ["After", "Before"]
            assert names == wanted and len(posted) == len(wanted), (mode, names, posted)
            assert all(isinstance(church.external(p), str) == (mode != "chms") for p in (before, after)), mode
            assert c.value("SELECT out_open FROM sync.status WHERE org_id = %s AND external_type = 'Person'", org)
        church = Church(c, "push-chms")  # by hand it goes even so
        church.hint(("person", after), reason="asked")
        c.settle("push-chms", 60)
        assert isinstance(church.external(after), str), church.external(after)


@test(timeout=240)
def refused_and_gone():
    """Failures of theirs are tried again; a record that is gone there is found out; a refusal is a dead letter."""
    with Cluster("push-refused", people=20) as c:
        church = Church(c)
        c.connect(ORG)
        c.wait_active(ORG, 60)
        settled(c)
        (person, external), (lost, lost_external), (bad, bad_external) = church.linked("Person", 3)
        since = next_seq(c)
        c.sim.fault("status500html", 1, match=f"PATCH /people/v2/people/{external}", times=3)
        church.update("openfaith_people", person, membership="Elder", birthdate="not a date")
        church.hint(("person", person))
        c.settle(ORG, 60)
        assert answer(c, "Person", external)["membership"] == "Elder"
        c.sim.post("/_sim/orgs/1/do", {"method": "DELETE", "path": f"/people/v2/people/{lost_external}"})
        church.update("openfaith_people", lost, membership="Elder")
        church.hint(("person", lost))
        c.settle(ORG, 60)
        assert church.external(lost, "deleted") == lost_external, c.owed()
        assert c.value('SELECT "deletedAt" IS NOT NULL FROM openfaith_people WHERE id = %s', lost)
        c.sim.fault("status422", 1, match=f"PATCH /people/v2/people/{bad_external}", times=1)
        church.update("openfaith_people", bad, membership="Elder")
        church.hint(("person", bad))
        wait_until(lambda: c.query("SELECT state FROM sync.work WHERE org_id = %s AND record_id = %s", ORG, bad) == [("dead",)], 30,
                   "a dead letter")
        church.update("openfaith_people", bad, membership="Deacon")  # what is new is tried again
        church.hint(("person", bad))
        church.run("UPDATE sync.work SET state = 'ready', attempts = 0, due_at = now() WHERE org_id = %s AND state = 'dead'", ORG)
        settled(c)
        assert answer(c, "Person", bad_external)["membership"] == "Deacon"
        print(writes(c, since))


@test(timeout=240)
def contact_on_its_way():
    """A new household whose contact is new too, beside a member who is there: the contact first, then the household, nobody dies."""
    with Cluster("push-contact", people=20) as c:
        church = Church(c)
        c.connect(ORG)
        c.wait_active(ORG, 60)
        settled(c)
        since = next_seq(c)
        member, member_external = church.linked("Person")[0]
        c.sim.fault("delay", 1, match="POST /people/v2/people", times=1, delay_ms=1500)  # the household is looked at meanwhile
        home = typeid("household", next(NUMBERS))
        contact = unlinked_person(church, "Contact")
        church.edge(home, member, "household_has_person")
        church.edge(home, contact, "household_has_person")
        church.edge(home, contact, "household_primary_contact_person")
        church.entity("openfaith_households", "household", home, name="Waits")
        church.hint(("household", home), ("person", contact))
        settled(c)
        assert [w[1] for w in writes(c, since)] == ["/people/v2/people", "/people/v2/households"], writes(c, since)
        there = record(c, "Household", church.external(home))["relationships"]
        assert there["primary_contact"]["data"]["id"] == church.external(contact), there
        assert sorted(m["id"] for m in there["people"]["data"]) == sorted([member_external, church.external(contact)]), there
        assert all(w.alive() for w in c.workers)


@test(timeout=240)
def contacts_made_here():
    """A second e-mail address that is made here as the primary one takes that from the first, here too; and those that were made here go
    when their person goes there, though that person has not been read since."""
    with Cluster("push-contacts", people=20) as c:
        church = Church(c)
        c.connect(ORG)
        c.wait_active(ORG, 60)
        settled(c)
        c.query("UPDATE sync.schedule SET due_at = now() + interval '1 day' WHERE kind IN ('poll', 'reconcile')")
        person = church.entity("openfaith_people", "person", firstName="Two", lastName="Contacts", type="default", status="active")
        emails = []
        for number in range(2):
            emails.append(church.entity("openfaith_emails", "email", address=f"contact{number}@example.org", primary=True, location="Home"))
            church.edge(emails[-1], person, "email_has_person")
            wait_until(lambda: len([e for e in c.sim.dump(1, "Email") if e["attributes"]["address"].startswith("contact")]) == number + 1,
                       30, "it is made there", 0.1)
            c.settle(ORG, 60)
        primary = 'SELECT address, "primary" FROM openfaith_emails WHERE address LIKE %s ORDER BY 1'
        assert c.query(primary, "contact_@%") == [("contact0@example.org", False), ("contact1@example.org", True)]
        external = church.external(person)
        c.sim.do("DELETE", f"/people/v2/people/{external}")
        c.query("INSERT INTO sync.work (org_id, adapter, direction, record_type, record_id, reason) "
                "VALUES (%s, 'pco', 'in', 'Person', %s, 'missing')", ORG, external)
        c.settle(ORG, 60)
        assert not c.query('SELECT 1 FROM openfaith_people WHERE id = %s AND "deletedAt" IS NULL', person)
        assert not c.query('SELECT 1 FROM openfaith_emails WHERE id = ANY (%s) AND "deletedAt" IS NULL', emails)
        c.assert_same(ORG)


@test(timeout=240)
def batch_that_says_nothing():
    """A batch without description is made there, and the gifts in it."""
    with Cluster("push-batch", people=20) as c:
        church = Church(c)
        c.connect(ORG)
        c.wait_active(ORG, 60)
        settled(c)
        since = next_seq(c)
        person = church.linked("Person")[0][0]
        fund = church.linked("Fund")[0][0]
        source = church.linked("PaymentSource", where="external_id <> 'planning_center'")[0][0]
        batch = church.entity("openfaith_batches", "batch")
        donation = church.entity("openfaith_donations", "donation", amountCents=700, paymentMethod="cash")
        part = church.entity("openfaith_designations", "designation", amountCents=700)
        church.edge(batch, donation, "batch_has_donation")
        church.edge(donation, person, "donation_has_person")
        church.edge(donation, source, "donation_payment_source_paymentSource")
        church.edge(part, donation, "designation_has_donation")
        church.edge(part, fund, "designation_has_fund")
        settled(c)
        assert [w[0] for w in writes(c, since)] == ["POST", "POST"], writes(c, since)
        assert record(c, "Batch", church.external(batch)) and answer(c, "Donation", church.external(donation))["amount_cents"] == 700


def custom(church, person, key, values):
    elements = [{"_tag": "string", "name": key, "source": "pco", "value": v} for v in values]
    church.run('UPDATE openfaith_people SET "updatedAt" = now(), "updatedBy" = \'user_1\', "customFields" = (SELECT '
               'coalesce(jsonb_agg(e), \'[]\') FROM jsonb_array_elements("customFields") e WHERE e ->> \'name\' <> %s) || %s::jsonb '
               'WHERE id = %s', key, json.dumps(elements), person)


def ours_of(church, person, key):
    return sorted(r[0] for r in church.run('SELECT e ->> \'value\' FROM openfaith_people, jsonb_array_elements("customFields") e '
                                           "WHERE id = %s AND e ->> 'name' = %s", person, key))


def theirs_of(c, external):
    return sorted((d["relationships"]["field_definition"]["data"]["id"], d["attributes"]["value"]) for d in c.sim.dump(1, "FieldDatum")
                  if d["relationships"]["customizable"]["data"]["id"] == external)


@test(timeout=240)
def own_deletion_takes_nothing():
    """What is written here while our own DELETE is under way stays: a box swapped for another, a value retyped, a member back."""
    with Cluster("push-own", people=40) as c:
        church = Church(c)
        c.connect(ORG)
        c.wait_active(ORG, 60)
        settled(c)
        person, external = church.linked("Person", where="NOT EXISTS (SELECT FROM sync.external_link v WHERE v.entity_id = l.entity_id "
                                         "AND v.kind = 'value')")[0]
        boxes, boxes_there = church.run(
            "SELECT f.key, l.external_id FROM openfaith_fields f JOIN sync.external_link l ON l.entity_id = f.id AND l.state = 'linked' "
            "WHERE f.\"orgId\" = %s AND f.type = 'checkboxes' AND f.\"deletedAt\" IS NULL ORDER BY f.id LIMIT 1", church.org)[0]
        options = [o["attributes"]["value"] for o in c.sim.dump(1, "FieldOption")
                   if o["relationships"]["field_definition"]["data"]["id"] == boxes_there]
        one, other = options[:2]
        custom(church, person, boxes, [one])
        settled(c)
        assert theirs_of(c, external) == [(boxes_there, one)], theirs_of(c, external)
        c.sim.fault("delay", 1, match="POST /people/v2/people", times=1, delay_ms=1000)  # the DELETE is answered first
        custom(church, person, boxes, [other])
        settled(c)
        assert ours_of(church, person, boxes) == [other], ours_of(church, person, boxes)
        assert theirs_of(c, external) == [(boxes_there, other)], theirs_of(c, external)
        # a single value, retyped as it was
        text, text_there = church.run(
            "SELECT f.key, l.external_id FROM openfaith_fields f JOIN sync.external_link l ON l.entity_id = f.id AND l.state = 'linked' "
            "WHERE f.\"orgId\" = %s AND f.type IN ('string', 'text') AND f.\"deletedAt\" IS NULL ORDER BY f.id LIMIT 1", church.org)[0]
        custom(church, person, text, ["blue"])
        settled(c)
        since = next_seq(c)
        c.sim.fault("delay", 1, match="DELETE /people/v2/field_data", times=1, delay_ms=1500)
        custom(church, person, text, [])
        wait_until(lambda: [w for w in writes(c, since) if w[0] == "DELETE"] or on_its_way(c), 20, "the value is being deleted")
        custom(church, person, text, ["blue"])
        settled(c)
        assert ours_of(church, person, text) == ["blue"], ours_of(church, person, text)
        assert (text_there, "blue") in theirs_of(c, external), theirs_of(c, external)
        # a member of a group who left, and is back
        church.run("UPDATE sync.connection SET delete_there = true, generation = generation + 1 WHERE org_id = %s", ORG)
        church.run("UPDATE sync.schedule SET generation = generation + 1 WHERE org_id = %s", ORG)
        group = church.linked("Group", where="NOT EXISTS (SELECT FROM openfaith_groups g WHERE g.id = l.entity_id "
                              "AND g.\"archivedAt\" IS NOT NULL)")[0][0]
        key = church.edge(group, person, "group_has_person", {"role": "member"})
        settled(c)
        membership = church.external(key)
        c.sim.fault("delay", 1, match="DELETE /groups/v2/", times=1, delay_ms=1500)
        left = 'UPDATE openfaith_edges SET "deletedAt" = {0}, "deletedBy" = {1}, "updatedAt" = now() WHERE "sourceEntityId" = %s AND ' \
               '"targetEntityId" = %s AND "relationshipType" = \'group_has_person\''
        church.run(left.format("now()", "'user_1'"), group, person)
        wait_until(lambda: on_its_way(c), 20, "the membership is being deleted")
        church.run(left.format("NULL", "NULL"), group, person)
        settled(c)
        assert church.run('SELECT "deletedAt" FROM openfaith_edges WHERE "sourceEntityId" = %s AND "targetEntityId" = %s AND '
                          "\"relationshipType\" = 'group_has_person'", group, person) == [(None,)]
        assert isinstance(church.external(key), str) and church.external(key) != membership, church.external(key)


def on_its_way(c):
    """Something is leased, and its request has had the time to be sent."""
    if not c.query("SELECT 1 FROM sync.work WHERE org_id = %s AND direction = 'out' AND state = 'leased'", ORG):
        return False
    time.sleep(0.3)
    return True


@test(timeout=240)
def several_alike():
    """The answer of a create is lost and two records there may be it: a person says which it is, or that it is none of them."""
    with Cluster("push-alike", people=20, env={"OF_VISIBILITY_MS": 1500}) as c:
        church = Church(c)
        c.connect(ORG)
        c.wait_active(ORG, 60)
        settled(c)
        for number, accept in enumerate((False, True)):
            name = f"Alike{number}"
            since = next_seq(c)
            c.sim.fault("lost", 1, match="POST /people/v2/people", times=1)
            person = church.entity("openfaith_people", "person", firstName=name, lastName="Twin", type="default", status="active")
            wait_until(lambda: [r for r in c.sim.dump(1, "Person") if r["attributes"]["first_name"] == name], 30, "it is made there")
            c.sim.do("POST", "/people/v2/people", {"first_name": name, "last_name": "Twin"})
            wait_until(lambda: c.query("SELECT 1 FROM sync.work WHERE org_id = %s AND record_id = %s AND state = 'parked'", ORG, person),
                       30, "it waits for a person")
            c.ctl("poll", ORG, "pco")  # they are read meanwhile, and stay what they are
            c.settle(ORG, 60)
            asked = church.run("SELECT id, external_id FROM sync.review WHERE org_id = %s AND kind = 'match' AND state = 'open' "
                               "AND entity_id = %s ORDER BY id", ORG, person)
            alike = [r["id"] for r in c.sim.dump(1, "Person") if r["attributes"]["first_name"] == name]
            assert sorted(a[1] for a in asked) == sorted(alike) and len(alike) == 2, (asked, alike)
            count = 'SELECT count(*) FROM openfaith_people WHERE "orgId" = %s AND "firstName" = %s AND "deletedAt" IS NULL'
            assert church.run(count, ORG, name) == [(1,)]
            c.ctl("review", "accept" if accept else "reject", asked[0][0])
            c.ctl("review", "reject", asked[1][0])
            c.settle(ORG, 60)
            posts = [w for w in writes(c, since) if w[0] == "POST"]
            there = sorted(r["id"] for r in c.sim.dump(1, "Person") if r["attributes"]["first_name"] == name)
            assert len(posts) == (1 if accept else 2) and len(there) == (2 if accept else 3), (posts, there)
            external = church.external(person)
            assert external == asked[0][1] if accept else external not in alike, (external, asked)
            assert not c.query("SELECT 1 FROM sync.work WHERE org_id = %s AND record_id = %s", ORG, person)


@test(timeout=240)
def names_what_is_stuck():
    """A membership whose person is refused there waits for that person, and an edit does not; with the person it goes."""
    with Cluster("push-stuck", people=20) as c:
        church = Church(c)
        c.connect(ORG)
        c.wait_active(ORG, 60)
        settled(c)
        home, home_there = church.linked("Household")[0]
        c.sim.fault("status422", 1, match="POST /people/v2/people", times=1)
        person = church.entity("openfaith_people", "person", firstName="Refused", lastName="Once", type="default", status="active")
        state = "SELECT state, waits_for FROM sync.work WHERE org_id = %s AND record_id = %s"
        wait_until(lambda: c.query(state, ORG, person) == [("dead", None)], 30, "a dead letter")
        key = church.edge(home, person, "household_has_person")
        wait_until(lambda: c.query(state, ORG, key) == [("parked", f"out:person/{person}")], 30, "it waits for the person")
        c.settle(ORG, 60)  # nobody is kept waiting for that
        church.update("openfaith_people", person, membership="Elder")
        settled(c)
        there = [m["id"] for m in record(c, "Household", home_there)["relationships"]["people"]["data"]]
        assert church.external(person) in there, there
        # and when a person gives up the one, what is parked behind it does not stay
        c.sim.fault("status422", 1, match="POST /people/v2/people", times=1)
        person = church.entity("openfaith_people", "person", firstName="Refused", lastName="Forever", type="default", status="active")
        wait_until(lambda: c.query(state, ORG, person) == [("dead", None)], 30, "a dead letter")
        key = church.edge(home, person, "household_has_person")
        wait_until(lambda: c.query(state, ORG, key) == [("parked", f"out:person/{person}")], 30, "it waits for the person")
        c.ctl("dlq", "discard", ORG, "--reason", "test")
        settled(c)
        assert not c.query(state, ORG, key), c.query(state, ORG, key)
        assert c.value("SELECT count(*) FROM openfaith_edges WHERE \"orgId\" = %s AND \"targetEntityId\" = %s AND \"deletedAt\" IS NULL",
                       ORG, person) == 1, "ours keeps the member"


@test(timeout=240)
def chms_between_linked():
    """Mode chms: a member of a group and a value, between records that are linked, go out."""
    with Cluster("push-chms", people=40) as c:
        church = Church(c)
        c.connect(ORG, mode="chms")
        c.wait_active(ORG, 60)
        settled(c)
        person, external = church.linked("Person", where="NOT EXISTS (SELECT FROM sync.external_link v WHERE v.entity_id = l.entity_id "
                                         "AND v.kind = 'value')")[0]
        group = church.linked("Group", where="NOT EXISTS (SELECT FROM openfaith_groups g WHERE g.id = l.entity_id "
                              "AND g.\"archivedAt\" IS NOT NULL)")[0][0]
        since = next_seq(c)
        key = church.edge(group, person, "group_has_person", {"role": "member"})
        text = church.run("SELECT key FROM openfaith_fields WHERE \"orgId\" = %s AND type IN ('string', 'text') AND \"deletedAt\" IS NULL "
                          "ORDER BY id LIMIT 1", church.org)[0][0]
        custom(church, person, text, ["blue"])
        settled(c)
        assert sorted(w[0] for w in writes(c, since)) == ["POST", "POST"], writes(c, since)
        assert isinstance(church.external(key), str), church.external(key)
        assert [v for _, v in theirs_of(c, external)] == ["blue"], theirs_of(c, external)


@test(timeout=240)
def gone_while_it_was_made():
    """A row that is deleted for good while its record is made there: the record is deleted there, or a person is asked."""
    with Cluster("push-gone", people=20) as c:
        church = Church(c)
        c.connect(ORG)
        c.wait_active(ORG, 60)
        settled(c)
        c.sim.fault("delay", 1, match="POST /people/v2/people", times=1, delay_ms=2000)
        person = church.entity("openfaith_people", "person", firstName="Short", lastName="Lived", type="default", status="active")
        wait_until(lambda: on_its_way(c), 20, "it is being made there")
        church.run("DELETE FROM openfaith_people WHERE id = %s", person)
        settled(c)
        external = church.external(person)
        assert record(c, "Person", external)
        asked = c.query("SELECT kind, external_id FROM sync.review WHERE org_id = %s AND state = 'open'", ORG)
        assert asked == [("delete", external)], asked
