# SPDX-License-Identifier: Apache-2.0
"""The comparison of both sides itself: it finds what differs, and only that."""
import contextlib
import json

from harness import Cluster
from runner import test

ORG = "compared-church"


def found(c, **options):
    c.connected[ORG]["types"] = None
    try:
        c.assert_same(ORG, **options)
    except AssertionError as cause:
        return str(cause)
    return ""


@test(timeout=120)
def both_ways():
    """Each edit on one side alone is a difference; another spelling of the same is none."""
    with Cluster("compare", people=60) as c:
        c.connect(ORG)
        c.wait_active(ORG, 90)
        c.settle(ORG)
        c.stop_programs()
        c.assert_same(ORG, follow=True, members_read=True)

        def link(name, ident):
            return c.value("SELECT entity_id FROM sync.external_link WHERE org_id = %s AND external_type = %s AND external_id = %s",
                           ORG, name, ident)

        def pick(name, good):
            """A record of theirs, and its entity."""
            record = next(r for r in c.sim.dump(1, name) if good(r))
            return record, link(name, record["id"])

        with contextlib.closing(c.db()) as db:
            db.autocommit = True
            cur = db.cursor()

            def edit(table, column, value, ident):
                """Sets it, gives what the comparison says, and sets it back."""
                cur.execute(f'SELECT "{column}" FROM {table} WHERE id = %s', (ident,))
                before = cur.fetchone()[0]
                before = json.dumps(before) if isinstance(before, (list, dict)) else before
                cur.execute(f'UPDATE {table} SET "{column}" = %s WHERE id = %s', (value, ident))
                text = found(c)
                cur.execute(f'UPDATE {table} SET "{column}" = %s WHERE id = %s', (before, ident))
                return text

            person, pid = pick("Person", lambda r: r["attributes"]["last_name"] and r["attributes"]["status"] == "active")
            last = person["attributes"]["last_name"]
            assert edit("openfaith_people", "lastName", f" {last.upper()}  ", pid) == ""
            assert "lastName" in edit("openfaith_people", "lastName", last + "x", pid)
            assert "membership" in edit("openfaith_people", "membership", "Elder", pid)
            assert "deleted here, but lives there" in edit("openfaith_people", "deletedAt", "2026-01-01T00:00:00Z", pid)
            phone, ident = pick("PhoneNumber", lambda r: r["attributes"]["e164"])
            assert edit('"openfaith_phoneNumbers"', "number", phone["attributes"]["national"], ident) == ""
            assert "number" in edit('"openfaith_phoneNumbers"', "number", "+13125550100", ident)
            assert "lacks" in edit("openfaith_people", "customFields", "[]", pid)
            # a row of ours: it must be there, unless nobody could make it there
            cur.execute("INSERT INTO openfaith_people (id, \"orgId\", \"firstName\", \"createdAt\", \"createdBy\") "
                        "VALUES ('person_01new', %s, 'New', now(), 'user_1')", (ORG,))
            assert "person_01new of ours is not there" in found(c)
            assert found(c, unlinked=["person_01new"]) == ""
            cur.execute("DELETE FROM openfaith_people WHERE id = 'person_01new'")
            cur.execute("INSERT INTO openfaith_groups (id, \"orgId\", name, \"createdAt\") VALUES ('group_01new', %s, 'G', now())", (ORG,))
            assert found(c) == ""
            # an edge that went, and one that came
            cur.execute("SELECT \"sourceEntityId\", \"targetEntityId\", \"relationshipType\" FROM openfaith_edges "
                        "WHERE \"orgId\" = %s AND \"relationshipType\" = 'email_has_person' LIMIT 1", (ORG,))
            edge = cur.fetchone()
            key = 'WHERE "sourceEntityId" = %s AND "targetEntityId" = %s AND "relationshipType" = %s'
            cur.execute('UPDATE openfaith_edges SET "deletedAt" = now() ' + key, edge)
            assert "is missing" in found(c)
            cur.execute('UPDATE openfaith_edges SET "deletedAt" = NULL ' + key, edge)
            assert found(c) == ""
            # a question that is open excuses the field it is about
            cur.execute("INSERT INTO sync.review (org_id, adapter, kind, external_type, external_id, entity_id, field) "
                        "VALUES (%s, 'pco', 'conflict', 'Person', %s, %s, 'membership')", (ORG, person["id"], pid))
            assert edit("openfaith_people", "membership", "Elder", pid) == ""
            assert "lastName" in edit("openfaith_people", "lastName", last + "x", pid)
        # their side
        pat = c.sim.api(1, "/people/v2/people", "POST", {"data": {"attributes": {"first_name": "Once"}}})
        assert pat[0] == 201 and "missing" in found(c)
        c.sim.api(1, "/people/v2/people", "POST", {"data": {"attributes": {"first_name": "Once"}}})
        assert "created 2 times" in found(c)
        c.sim.do("DELETE", f"/people/v2/people/{person['id']}")
        assert "no such record any more" in found(c)
