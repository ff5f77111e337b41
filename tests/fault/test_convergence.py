# SPDX-License-Identifier: Apache-2.0
"""Edits on both sides at once, with kills and faults: at the end both sides are equal, nothing is doubled, nothing echoes."""
import contextlib
import os
import random
import time

from harness import Cluster, HarnessError
from runner import test

LONG = bool(os.environ.get("OF_TEST_LONG"))
CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
STRATEGIES = ("last_write_wins", "field_merge", "chms_wins", "openfaith_wins")
# column here, attribute there
PERSON_FIELDS = (("firstName", "first_name"), ("middleName", "middle_name"), ("lastName", "last_name"), ("membership", "membership"))


def typeid(prefix, dice):
    return f"{prefix}_0" + "".join(dice.choice(CROCKFORD) for _ in range(25))


class Church:
    """One organization's two sides, as their users see them."""

    def __init__(self, cluster, index, strategy, dice):
        self.c, self.index, self.dice, self.strategy = cluster, index, dice, strategy
        self.org = f"both-{index}"
        self.here, self.there = {}, {}  # (external id, column) -> last value written on that side
        self.made = []                  # last names of people that were created: each stands once on both sides
        self.ops_here = 0               # requests that the operations here may cause

    def people(self):
        return self.c.query("SELECT l.external_id, l.entity_id FROM sync.external_link l JOIN openfaith_people p ON p.id = l.entity_id "
                            'WHERE l.org_id = %s AND l.external_type = \'Person\' AND l.state = \'linked\' AND p."deletedAt" IS NULL',
                            self.org)

    def somebody(self):
        """A few are edited often, so that both sides meet."""
        return self.dice.choice(self.folk[:8] if self.dice.random() < 0.4 else self.folk)

    # -- here: OpenFaith's application -------------------------------------------------------------------------------------
    def edit_here(self, db, n):
        external, entity = self.somebody()
        column, _ = self.dice.choice(PERSON_FIELDS)
        value = f"here {n}"
        with db.cursor() as cur:
            cur.execute(f'UPDATE openfaith_people SET "{column}" = %s, "updatedAt" = now(), "updatedBy" = \'user_1\' '
                        'WHERE id = %s AND "deletedAt" IS NULL', (value, entity))
            if cur.rowcount:
                self.here[(external, column)] = value
                self.ops_here += 1
        db.commit()

    def create_here(self, db, n):
        person, email = typeid("person", self.dice), typeid("email", self.dice)
        name = f"Made here {n}"
        with db.cursor() as cur:
            cur.execute('INSERT INTO openfaith_people (id, "orgId", "firstName", "lastName", "createdAt", "createdBy") '
                        "VALUES (%s, %s, 'Ada', %s, now(), 'user_1')", (person, self.org, name))
            cur.execute('INSERT INTO openfaith_emails (id, "orgId", address, "primary", location, "createdAt", "createdBy") '
                        "VALUES (%s, %s, %s, true, 'Home', now(), 'user_1')", (email, self.org, f"made-{n}@example.org"))
            cur.execute('INSERT INTO openfaith_edges ("orgId", "sourceEntityId", "sourceEntityTypeTag", "targetEntityId", '
                        '"targetEntityTypeTag", "relationshipType", metadata, "createdAt", "createdBy") '
                        "VALUES (%s, %s, 'email', %s, 'person', 'email_has_person', '{}', now(), 'user_1')",
                        (self.org, email, person))
        db.commit()
        self.made.append(name)
        self.ops_here += 2

    def rolled_back_here(self, db, n):
        _, entity = self.dice.choice(self.folk)
        with db.cursor() as cur:
            cur.execute('UPDATE openfaith_people SET "firstName" = %s WHERE id = %s', (f"never {n}", entity))
        db.rollback()

    # -- there: people at the church -----------------------------------------------------------------------------------------
    def edit_there(self, n):
        external, _ = self.somebody()
        column, attribute = self.dice.choice(PERSON_FIELDS)
        with contextlib.suppress(HarnessError):  # it may be gone
            self.c.sim.do("PATCH", f"/people/v2/people/{external}", {attribute: f"there {n}"}, org_index=self.index)
            self.there[(external, column)] = f"there {n}"

    def create_there(self, n):
        name = f"Made there {n}"
        self.c.sim.do("POST", "/people/v2/people", {"first_name": "Bea", "last_name": name}, org_index=self.index)
        self.made.append(name)

    def step(self, db, n):
        what = self.dice.random()
        if what < 0.42:
            self.edit_here(db, n)
        elif what < 0.80:
            self.edit_there(n)
        elif what < 0.86:
            self.create_here(db, n)
        elif what < 0.92:
            self.create_there(n)
        elif what < 0.95:
            self.rolled_back_here(db, n)
        elif what < 0.97:
            self.c.sim.edits("merge", org_index=self.index)
        else:
            self.c.sim.edits(self.dice.choice(("delete", "edit_contact", "add_contact", "edit_household", "add_donation")),
                             org_index=self.index)

    # -- what must be so at the end ------------------------------------------------------------------------------------------
    def check(self):
        self.c.assert_same(self.org, duplicates=False)
        there = [record["attributes"]["last_name"] for record in self.c.sim.dump(self.index, "Person")]
        here = [row[0] for row in self.c.query('SELECT "lastName" FROM openfaith_people WHERE "orgId" = %s AND "deletedAt" IS NULL',
                                               self.org)]
        for name in self.made:  # a merge or a deletion may have taken it, or an edit renamed it
            assert there.count(name) <= 1, f"{name} was created {there.count(name)} times in the ChMS"
            assert here.count(name) <= 1, f"{name} was created {here.count(name)} times in OpenFaith"
        living = {record["id"]: record["attributes"] for record in self.c.sim.dump(self.index, "Person")}
        attribute_of = dict(PERSON_FIELDS)
        for key in sorted(set(self.here) | set(self.there)):
            external, column = key
            if external not in living:
                continue
            final = living[external][attribute_of[column]]
            wanted = {self.here.get(key), self.there.get(key)} - {None}
            entity = self.c.value("SELECT entity_id FROM sync.external_link WHERE org_id = %s AND external_type = 'Person' "
                                  "AND external_id = %s", self.org, external)
            assert final in wanted, f"{self.org}: {column} of Person/{external} ({entity}) is {final!r}, written were {wanted}"
            if len(wanted) > 1:
                told = self.c.value("SELECT count(*) FROM sync.journal WHERE org_id = %s AND entity_id = %s AND field = %s",
                                    self.org, entity, column)
                assert told, f"{self.org}: nothing explains {column} of {entity}: {final!r} of {wanted}"

    def writes(self):
        return [e for e in self.c.sim.requests(self.index) if e["method"] != "GET" and e["status"] != 404]


def churn(cluster, churches, count, seed, kills):
    dice = random.Random(seed)
    for church in churches:
        church.folk = church.people()
    with contextlib.closing(cluster.db()) as db:
        db.autocommit = False
        for n in range(count):
            dice.choice(churches).step(db, n)
            if kills and n % (count // kills) == count // kills - 1:
                victim = dice.choice(cluster.programs())
                if dice.random() < 0.2:
                    victim.send(19)  # SIGSTOP, for longer than its leases
                    time.sleep(6)
                    victim.send(18)
                else:
                    victim.kill9()
                    victim.start()
            if n % 50 == 49:
                for church in churches:
                    cluster.ctl("poll", church.org, "pco", check=False)


def converge(name, count, seed, strategies, kills, faults, people=150):
    with Cluster(name, kafka="real", people=people, orgs=len(strategies), workers=2, schedulers=1, latency_ms=5) as c:
        dice = random.Random(seed)
        print(f"seed {seed} (OF_TEST_SEED replays it)")
        churches = []
        for index, strategy in enumerate(strategies, 1):
            church = Church(c, index, strategy, random.Random(dice.random()))
            c.connect(church.org, org_index=index, kind="oauth")
            churches.append(church)
        for church in churches:
            c.wait_active(church.org, 180)
            c.ctl("set", church.org, "pco", "--strategy", church.strategy)
        c.settle(timeout=120)
        for church in churches:
            c.assert_mirror(church.org)
            assert not church.writes(), f"{church.org}: writes after a first sync of nothing new: {church.writes()[:5]}"
        lost = 0
        if faults:
            for kind, match, every in (("status503", "/people/v2/", 17), ("lost", "POST /people", 5), ("lost", "PATCH /people", 7),
                                       ("status429", "/people/v2/people", 41), ("cut", "GET /people/v2/people?", 13)):
                c.sim.fault(kind, match=match, every=every, after=3)
        churn(c, churches, count, seed, kills)
        lost = sum(1 for church in churches for e in church.writes() if e["fault"])
        c.sim.clear_faults()
        for _ in range(3):  # what shows up late in one poll comes with the next; members come with the reconciliation
            for church in churches:
                c.ctl("poll", church.org, "pco")
            c.settle(timeout=240)
        for church in churches:
            c.ctl("reconcile", church.org, "pco")
        c.settle(timeout=240)
        for church in churches:
            church.check()
            c.assert_nothing_owed(church.org)
        writes = sum(len(church.writes()) for church in churches)
        allowed = sum(church.ops_here for church in churches) + lost
        kept = c.value("SELECT count(*) FROM sync.journal WHERE rule LIKE 'conflict%'") or 0
        print(f"{count} operations, {kills} kills, {writes} writes for {allowed} net changes and lost answers, {kept} conflicts")
        assert writes <= allowed + kept + 8 * kills, f"{writes} writes for {allowed} changes: something echoes"
        settled = writes  # and then it is quiet
        for church in churches:
            c.ctl("poll", church.org, "pco")
        c.settle(timeout=120)
        assert sum(len(church.writes()) for church in churches) == settled, "it goes on writing"


def seed_of(default):
    return int(os.environ.get("OF_TEST_SEED", default))


@test(timeout=900)
def both_sides_with_kills_and_faults():
    """1,500 random edits, creates, merges and deletes on both sides of four churches, one per strategy; every program is killed or stopped
    for longer than its leases, and the ChMS fails in five ways."""
    converge("converge-kill", 1500, seed_of(23), STRATEGIES, kills=20, faults=True)


@test(timeout=7200, long=True)
def both_sides_10000():
    converge("converge-long", 10000, seed_of(99), STRATEGIES * 2, kills=150, faults=True, people=400)
