# SPDX-License-Identifier: Apache-2.0
"""After a first sync both sides say the same, field by field and edge by edge."""
import contextlib
import os
import re

from before import Before, choose
from harness import Cluster, wait_until
from runner import test

ORG = "mirror-church"
PEOPLE = 3000


def finish(cluster, org=ORG, timeout=180, settle=180, **options):
    cluster.wait_active(org, timeout)
    cluster.settle(org, settle)
    cluster.assert_nothing_owed(org)
    cluster.assert_mirror(org, **options)


@test(timeout=120)
def small():
    """300 people, one worker, the in-process broker: what the sanitizer builds run."""
    with Cluster("mirror-small", people=300) as c:
        c.connect(ORG)
        finish(c, timeout=100)


@test(timeout=120)
def people_only():
    """A scope of its own: Person brings what it depends on, and nothing else."""
    with Cluster("mirror-people", people=200) as c:
        c.connect(ORG, types=["Person"])
        finish(c)
        names = {t["type"] for t in c.status(ORG)["entityTypes"]}
        assert "Person" in names and "Donation" not in names, names


@test(timeout=300)
def everything():
    """3,000 people with everything, on Apache Kafka, two workers and two schedulers."""
    with Cluster("mirror", kafka="real", people=PEOPLE, workers=2, schedulers=2) as c:
        c.connect(ORG)
        finish(c)
        status = c.status(ORG)
        for item in status["entityTypes"]:
            assert item["lastSuccessfulPollTimestamp"], item
            if item["type"] != "HouseholdMembership":  # read later, with permits that nobody else wants
                assert item["processed"] == item["total"], item
            if item["type"] in ("Person", "Email", "Donation"):
                assert item["processed"] == len(c.sim.dump(1, item["type"])), item


@test(timeout=300)
def second_sync_changes_nothing():
    """sync once more: no row is written again."""
    with Cluster("mirror-again", people=500, workers=2) as c:
        c.connect(ORG)
        finish(c)
        before = c.query('SELECT id, xmin::text FROM openfaith_people WHERE "orgId" = %s ORDER BY id', ORG)
        edges = c.query('SELECT "sourceEntityId", "targetEntityId", xmin::text FROM openfaith_edges WHERE "orgId" = %s '
                        "ORDER BY 1, 2", ORG)
        c.ctl("sync", ORG, "pco")
        finish(c)
        assert c.query('SELECT id, xmin::text FROM openfaith_people WHERE "orgId" = %s ORDER BY id', ORG) == before
        assert c.query('SELECT "sourceEntityId", "targetEntityId", xmin::text FROM openfaith_edges WHERE "orgId" = %s '
                       "ORDER BY 1, 2", ORG) == edges


@test(timeout=300)
def mode_chms():
    with Cluster("mirror-chms", kafka="real", people=1000, workers=2) as c:
        c.connect(ORG, mode="chms")
        finish(c)


@test(timeout=300)
def mode_openfaith():
    """Nothing is created here; what has no partner is counted as unlinked."""
    with Cluster("mirror-openfaith", kafka="real", people=1000, workers=2) as c:
        c.connect(ORG, mode="openfaith")
        finish(c)
        assert c.value('SELECT count(*) FROM openfaith_people WHERE "orgId" = %s', ORG) == 0
        assert c.value("SELECT count(*) FROM sync.external_link WHERE org_id = %s AND external_type = 'Person' "
                       "AND state = 'unmatched'", ORG) == 1000


@test(timeout=300)
def with_faults():
    """Some of every kind of trouble, all along."""
    with Cluster("mirror-faults", kafka="real", people=2000, workers=2, latency_ms=10) as c:
        for number, kind in enumerate(("status429", "status500html", "status503", "cut", "lost", "truncate_json", "html200",
                                       "repeat_page", "empty_page", "wrong_total")):
            c.sim.fault(kind, 1, match="GET /", every=23, after=2 + 2 * number, times=4)
        c.sim.fault("stall", 1, match="/v2/people", every=40, after=5, times=2, delay_ms=4000)
        c.connect(ORG)
        finish(c, timeout=240)
        hit = {e["fault"] for e in c.sim.requests(1) if e["fault"]}
        print(sorted(hit))
        assert len(hit) >= 8, hit


def while_they_work(op, every, maximum, people=2000, **options):
    """Edits while it is being listed; what they did is in the ledger's order, and the end is the same on both sides."""
    with Cluster(f"mirror-{op}", kafka="real", people=people, workers=2, latency_ms=15, **options) as c:
        c.sim.edits(op, every_requests=every, maximum=maximum)
        c.connect(ORG)
        finish(c, timeout=240)
        print({name: n for name, n in c.sim.get("/_sim/orgs/1/counts").items() if n})


@test(timeout=300)
def edits_during_the_walk():
    while_they_work("mixed", 1, 60)


@test(timeout=300)
def mergers_during_the_walk():
    """People are merged: the removed one's entity is gone or was never made, the kept one has all edges."""
    while_they_work("merge", 1, 40)


@test(timeout=300)
def deletions_during_the_walk():
    while_they_work("delete", 1, 60)


@test(timeout=300)
def additions_during_the_walk():
    while_they_work("add", 1, 60)


@test(timeout=300)
def edits_and_faults():
    with Cluster("mirror-all", kafka="real", people=2000, workers=3, schedulers=2, latency_ms=15) as c:
        c.sim.edits("mixed", every_requests=1, maximum=60)
        for kind in ("status500html", "cut", "lost", "repeat_page"):
            c.sim.fault(kind, 1, match="GET /", every=19, after=7, times=3)
        c.connect(ORG)
        finish(c, timeout=240)


@test(timeout=120)
def a_type_leaves_while_the_others_wait_for_it():
    """The scope is narrowed while all other types wait for the one that leaves: the run goes on and ends."""
    with Cluster("mirror-leaves", people=60, env={"OF_STALLED_MS": 600000}) as c:
        c.sim.fault("status503", 1, match="GET /giving/v2/donations")
        c.connect(ORG, types=["Person", "Donation"])
        wait_until(lambda: c.query("SELECT DISTINCT external_type FROM sync.phase WHERE step <> 'done' AND due_at <> 'infinity'")
                   == [("Donation",)], 60, "the others to wait", 0.2)
        c.ctl("set", ORG, "pco", "--types", "Person")
        c.wait_active(ORG, 40)


def into_existing(mode):
    known = 400 if os.environ.get("OF_TEST_LONG") else 200
    with Cluster(f"mirror-existing-{mode}", kafka="real", people=1500, workers=2) as c:
        before = Before(c, ORG).fill(known=known, strangers=known // 4)
        c.connect(ORG, mode=mode)
        if mode == "chms":
            finish(c, preexisting=before.rows)
        else:  # what was only here has been sent, and with it moments of theirs moved
            c.wait_active(ORG, 180)
            c.settle(ORG, 180)
            c.assert_nothing_owed(ORG)
            # what they do not take of ours (a computed name, no primary address at all) stays ours in mode openfaith
            found = [d for d in c.differences(ORG, both=True) if mode == "bidirectional" or not re.search(
                r": (name|primary|blocked) is |: and \d+ more$", d)]
            assert not found, found[:40]
        before.assert_matched()


@test(timeout=300)
def existing_bidirectional():
    into_existing("bidirectional")


@test(timeout=300)
def existing_chms():
    into_existing("chms")


@test(timeout=300)
def existing_openfaith():
    into_existing("openfaith")


@test(timeout=120)
def uncertain_goes_to_review():
    """Two people of one name and address here: no guess, but a review with both as candidates."""
    with Cluster("mirror-review", people=200) as c:
        before = Before(c, ORG)
        record, email = next(pair for pair in choose(c.sim, 1, 50) if pair[1])
        attrs = record["attributes"]
        with c.db() as db, db.cursor() as cur:
            twins = [before.person(cur, attrs["first_name"], attrs["last_name"], attrs.get("birthdate"),
                                   email["attributes"]["address"]) for _ in range(2)]
        c.connect(ORG)
        c.wait_active(ORG, 60)
        c.settle(ORG, 60)
        state, entity = c.query("SELECT state, entity_id FROM sync.external_link WHERE org_id = %s AND external_type = "
                                "'Person' AND external_id = %s", ORG, record["id"])[0]
        assert state == "ambiguous" and entity is None, (state, entity)
        candidates = c.query(
            "SELECT k.entity_id, k.score, k.reasons FROM sync.review r JOIN sync.review_candidate k ON k.review_id = r.id "
            "WHERE r.org_id = %s AND r.kind = 'match' AND r.external_id = %s AND r.state = 'open'", ORG, record["id"])
        assert {row[0] for row in candidates} == set(twins), candidates
        assert all(row[1] > 0 and row[2] for row in candidates), candidates
        assert record["id"] in c.ctl("review", "list", "--json").stdout


MUTATIONS = (
    ("a name", "UPDATE openfaith_people SET \"firstName\" = 'Mutant' WHERE id = %(person)s"),
    ("a custom field lost", "UPDATE openfaith_people SET \"customFields\" = '[]' WHERE id = %(person)s"),
    ("a soft delete", "UPDATE openfaith_people SET \"deletedAt\" = now() WHERE id = %(person)s"),
    ("a row lost", "DELETE FROM openfaith_emails WHERE id = %(email)s"),
    ("a row too much", "INSERT INTO openfaith_people (id, \"orgId\", \"createdAt\") "
                       "VALUES ('person_01h00000000000000000000000', %(org)s, now())"),
    ("a flag", "UPDATE openfaith_emails SET \"primary\" = NOT \"primary\" WHERE id = %(email)s"),
    ("an edge lost", "DELETE FROM openfaith_edges WHERE \"orgId\" = %(org)s AND \"sourceEntityId\" = %(email)s"),
    ("an edge too much", "INSERT INTO openfaith_edges (\"orgId\", \"sourceEntityId\", \"sourceEntityTypeTag\", \"targetEntityId\", "
                         "\"targetEntityTypeTag\", \"relationshipType\", \"createdAt\") VALUES (%(org)s, %(email)s, 'email', "
                         "%(person)s, 'person', 'email_knows_person', now())"),
    ("edge metadata", "UPDATE openfaith_edges SET metadata = metadata || '{\"role\":\"mutant\"}' WHERE \"orgId\" = %(org)s AND "
                      "\"relationshipType\" = 'group_has_person'"),
    ("a link's state", "UPDATE sync.external_link SET state = 'unmatched' WHERE org_id = %(org)s AND external_type = 'Email' "
                       "AND entity_id = %(email)s"),
    ("a link's time", "UPDATE sync.external_link SET external_updated_at = now() WHERE org_id = %(org)s AND entity_id = %(email)s"),
    ("a link lost", "DELETE FROM sync.external_link WHERE org_id = %(org)s AND entity_id = %(email)s"),
    ("updatedAt", "UPDATE openfaith_people SET \"updatedAt\" = now() WHERE id = %(person)s"),
    ("a folder's kind", "UPDATE openfaith_folders SET \"folderType\" = 'other' WHERE \"orgId\" = %(org)s"),
    ("an option's field", "UPDATE \"openfaith_fieldOptions\" SET \"fieldId\" = 'field_x' WHERE \"orgId\" = %(org)s"),
    ("cents", "UPDATE openfaith_donations SET \"amountCents\" = \"amountCents\" + 1 WHERE \"orgId\" = %(org)s"),
)


@test(timeout=200)
def the_comparison_is_sharp():
    """Each kind of damage to a good copy is found."""
    with Cluster("mirror-sharp", people=120) as c:
        c.connect(ORG)
        finish(c)
        person, email = c.query(
            "SELECT p.entity_id, e.entity_id FROM sync.external_link p JOIN openfaith_edges x ON x.\"targetEntityId\" = p.entity_id "
            "AND x.\"relationshipType\" = 'email_has_person' JOIN sync.external_link e ON e.entity_id = x.\"sourceEntityId\" "
            "JOIN openfaith_people o ON o.id = p.entity_id AND jsonb_array_length(o.\"customFields\") > 0 "
            "WHERE p.org_id = %s LIMIT 1", ORG)[0]
        master = c.database
        blind = []
        c.stop_programs()
        for number, (what, sql) in enumerate(MUTATIONS):
            with contextlib.closing(c.pg.connect("postgres")) as db, db.cursor() as cur:  # no transaction
                cur.execute(f'CREATE DATABASE "mutant_{number}" TEMPLATE "{master}"')
            c.database = f"mutant_{number}"
            with c.db() as db, db.cursor() as cur:
                cur.execute(sql, {"org": ORG, "person": person, "email": email})
                assert cur.rowcount > 0, f"{what}: the mutation changed nothing"
            found = c.differences(ORG)
            print(f"{what}: {len(found)}: {found[:1]}")
            if not found:
                blind.append(what)
            c.database = master
        assert not blind, f"the comparison does not see: {blind}"
