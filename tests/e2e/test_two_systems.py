# SPDX-License-Identifier: Apache-2.0
"""An organization with two systems: each change reaches the other one once and comes back from nowhere; one person stays one."""
import collections
import contextlib
import time

from harness import Cluster
from runner import test

ORG = "two-systems"
TYPES = ["Person", "Email", "PhoneNumber"]
SYSTEMS = ("pco", "pco2")


class Two:
    def __init__(self, c, people=None):
        self.c = c
        second = c.add_sim("pco-sim-2", **({"people": people} if people else {}))
        self.sims = dict(zip(SYSTEMS, (c.sim, second)))

    def connect(self, *systems):
        for adapter in systems:
            path = self.c.credentials_file({"pco": 1, "pco2": 2}[adapter])
            if adapter == "pco2":  # the same church of the generator, under a key of its own
                path = self.c.credentials_file(1, "oauth")
            self.c.connect(ORG, types=TYPES, adapter=adapter, base_url=self.sims[adapter].base_url, credentials=path)
        for adapter in systems:
            self.c.wait_active(ORG, 120, adapter=adapter)
        self.c.settle(ORG, 120)

    def settle(self, *polled):
        for adapter in polled:
            self.c.ctl("poll", ORG, adapter)
        self.c.settle(ORG, 60)

    def pairs(self):
        """[(entity, id in pco, id in pco2)] of people that are linked in both."""
        return self.c.query("SELECT a.entity_id, a.external_id, b.external_id FROM sync.external_link a JOIN sync.external_link b "
                            "ON b.org_id = a.org_id AND b.entity_id = a.entity_id AND b.adapter = 'pco2' AND b.state = 'linked' "
                            "AND b.external_type = 'Person' JOIN openfaith_people p ON p.id = a.entity_id AND p.\"deletedAt\" IS NULL "
                            "WHERE a.org_id = %s AND a.adapter = 'pco' AND a.external_type = 'Person' AND a.state = 'linked' "
                            "ORDER BY length(a.external_id), a.external_id", ORG)

    def names(self, pair):
        """lastName here, there, and there."""
        here = self.c.value('SELECT "lastName" FROM openfaith_people WHERE id = %s', pair[0])
        there = [next(r for r in self.sims[s].dump(1, "Person") if r["id"] == ident)["attributes"]["last_name"]
                 for s, ident in zip(SYSTEMS, pair[1:])]
        return here, *there

    def writes(self):
        """Numbers of writes that each system was asked for."""
        return tuple(len(self.sims[s].writes(1)) for s in SYSTEMS)

    def here(self, entity, name):
        with contextlib.closing(self.c.db()) as db, db, db.cursor() as cur:
            cur.execute('UPDATE openfaith_people SET "lastName" = %s, "updatedAt" = now(), "updatedBy" = \'user_1\' WHERE id = %s',
                        (name, entity))

    def there(self, system, ident, name):
        self.sims[system].do("PATCH", f"/people/v2/people/{ident}", {"last_name": name})

    def run(self, sql):
        with contextlib.closing(self.c.db()) as db, db, db.cursor() as cur:
            cur.execute(sql)


def grown(before, after):
    return tuple(b - a for a, b in zip(before, after))


def one_change(t, where, pair, name):
    """Changes the last name at one of the three; what it came to, and the writes that it cost."""
    before = t.writes()
    if where == "here":
        t.here(pair[0], name)
        t.settle()
    else:
        t.there(where, pair[1 + SYSTEMS.index(where)], name)
        t.settle(where)
    told = grown(before, t.writes())
    before = t.writes()
    t.settle(*SYSTEMS)  # what they answered and what they show now is nothing new to anybody
    time.sleep(1)
    t.settle(*SYSTEMS)
    assert t.writes() == before, f"{where}: it echoes: {[t.sims[s].writes(1)[-3:] for s in SYSTEMS]}"
    return t.names(pair), told


@test(timeout=240)
def each_change_once_everywhere():
    with Cluster("two", people=60) as c:
        t = Two(c)
        t.connect("pco")
        t.connect("pco2")
        pairs = t.pairs()
        assert len(pairs) > 30, len(pairs)
        assert one_change(t, "here", pairs[0], "Fromhere") == (("Fromhere",) * 3, (1, 1))
        assert one_change(t, "pco", pairs[1], "Fromone") == (("Fromone",) * 3, (0, 1))
        assert one_change(t, "pco2", pairs[2], "Fromtwo") == (("Fromtwo",) * 3, (1, 0))
        # one of them respells what it is sent: its spelling is its own
        t.sims["pco2"].settings(respell="name")
        assert one_change(t, "here", pairs[3], "van der berg") == (("van der berg", "van der berg", "Van Der Berg"), (1, 1))
        assert one_change(t, "pco", pairs[4], "de la cruz") == (("de la cruz", "de la cruz", "De La Cruz"), (0, 1))
        # a trigger of OpenFaith respells whatever is written: the other system hears it so, once; the one it came from does not
        t.run("CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.\"lastName\" := upper(NEW.\"lastName\"); "
              "RETURN NEW; END $$; CREATE TRIGGER shout BEFORE UPDATE ON openfaith_people FOR EACH ROW EXECUTE FUNCTION shout()")
        assert one_change(t, "pco", pairs[5], "Quiet") == (("QUIET", "Quiet", "QUIET"), (0, 1)), t.names(pairs[5])
        # gone there: here it goes, the other system is asked about, not told
        before = t.writes()
        t.sims["pco"].do("DELETE", f"/people/v2/people/{pairs[6][1]}")
        c.ctl("reconcile", ORG, "pco")
        t.settle()
        assert c.value('SELECT "deletedAt" IS NOT NULL FROM openfaith_people WHERE id = %s', pairs[6][0])
        assert t.writes() == before
        asked = [r for r in c.ctl_json("review", "list", ORG) if r["kind"] == "delete" and r["entityId"] == pairs[6][0]]
        assert [r["adapter"] for r in asked] == ["pco2"], asked


def key(first, last, birth):
    return (first or "").strip().lower(), (last or "").strip().lower(), birth


@test(timeout=300)
def both_at_once_make_one():
    """Two systems hold the same church and are connected at the same moment: nobody is here twice for it."""
    with Cluster("two-at-once", kafka="real", people=600, workers=2, partitions=6) as c:
        t = Two(c)
        theirs = collections.Counter(key(r["attributes"]["first_name"], r["attributes"]["last_name"], r["attributes"]["birthdate"])
                                     for r in c.sim.dump(1, "Person"))
        t.connect(*SYSTEMS)
        rows = c.query('SELECT "firstName", "lastName", birthdate FROM openfaith_people WHERE "orgId" = %s AND "deletedAt" IS NULL', ORG)
        here = collections.Counter(key(*row) for row in rows)
        twice = {k: (n, theirs[k]) for k, n in here.items() if n > theirs[k] and k[2]}
        print(f"{len(rows)} people here, {sum(theirs.values())} in each system, {len(t.pairs())} linked in both, writes {t.writes()}, "
              f"reviews {c.query('SELECT adapter, kind, count(*) FROM sync.review GROUP BY 1, 2')}")
        assert not twice, twice
        assert len(t.pairs()) > 400, len(t.pairs())


@test(timeout=120)
def fields_of_the_second_account():
    """Custom fields of the second account are its own, and what is typed into one goes there."""
    with Cluster("two-fields", people=60) as c:
        two = Two(c)
        sim = two.sims["pco2"]
        c.connect(ORG, types=["Person", "FieldDatum"], adapter="pco2", base_url=sim.base_url, credentials=c.credentials_file(1, "oauth"))
        c.wait_active(ORG, 60, adapter="pco2")
        c.settle(ORG, 60)
        person, key, external = c.query(
            "SELECT l.entity_id, e ->> 'name', l.external_id FROM sync.external_link l JOIN sync.base b ON b.link_id = l.id AND "
            "b.org_id = l.org_id JOIN openfaith_people p ON p.id = l.entity_id CROSS JOIN LATERAL jsonb_array_elements(p.\"customFields\") e "
            "JOIN openfaith_fields f ON f.key = e ->> 'name' AND f.type IN ('string', 'text') AND f.source = 'pco2' "
            "WHERE l.adapter = 'pco2' AND l.external_type = 'FieldDatum' AND e ->> 'source' = 'pco2' AND e ->> 'value' = b.seen ->> 'value' "
            "ORDER BY 1 LIMIT 1")[0]
        c.query('UPDATE openfaith_people SET "updatedAt" = now(), "updatedBy" = \'user_1\', "customFields" = (SELECT jsonb_agg(CASE WHEN '
                "e ->> 'name' = %s THEN e || '{\"value\": \"Typed\"}' ELSE e END) FROM jsonb_array_elements(\"customFields\") e) WHERE id = %s",
                key, person)
        c.settle(ORG, 60)
        assert [d["attributes"]["value"] for d in sim.dump(1, "FieldDatum") if d["id"] == external] == ["Typed"]
