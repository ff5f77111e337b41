# SPDX-License-Identifier: Apache-2.0
"""People who work in OpenFaith's application: reproducible edits, creates and deletes of an organization's rows, the counterpart
of the simulator's `edits`. Same seed, same rows, same edits; `done` tells what was done, for the text of a failure."""
import contextlib
import json
import random

from before import typeid

FIRST = ("Ada", "Zoë", "Bo", "José", "Ming", "Anna-Lena", "O'Ben", "Łukasz")
LAST = ("Lovelace", "Núñez", "van der Berg", "Smith", "Müller", "Okafor", "D'Angelo")
CITIES = (("Oceanside", "CA", "92054"), ("Reno", "NV", "89501"), ("Rome", "NY", "13440"))
# what `step` picks from, and how often
WEIGHTS = {"edit_person": 25, "edit_custom": 8, "add_person": 10, "add_email": 8, "edit_email": 8, "edit_phone": 5,
           "edit_address": 5, "delete_email": 4, "edit_group": 3, "add_member": 4, "remove_member": 3, "edit_household": 4,
           "add_to_household": 3, "edit_fund": 1}
DELETING = {**WEIGHTS, "delete_person": 4, "delete_household": 1}  # each is a question, unless the connection deletes there


class Churn:
    """`connect` gives a database connection; edits are one transaction each, as an application makes them."""

    def __init__(self, connect, org, seed=1, user="user_churn"):
        self.connect, self.org, self.user = connect, org, user
        self.random, self.seed = random.Random(f"{seed}/{org}"), seed
        self.number, self.done = 1_000_000 + self.random.randrange(1 << 40), []

    def step(self, n=1, weights=None):
        """n edits, one transaction each; those that find nothing to work on count too."""
        weights = weights or WEIGHTS
        with contextlib.closing(self.connect()) as db:
            for _ in range(n):
                op = self.random.choices(list(weights), list(weights.values()))[0]
                with db, db.cursor() as cur:
                    ident = getattr(self, op)(cur)
                if ident is not None:
                    self.done.append((op, ident))
        return self.done[-n:]

    # -- helpers -------------------------------------------------------------------------------------------------------
    def any(self, cur, table, where="true", columns="id"):
        """A living row, by chance, or None. Ids are drawn, not rows, so that the order in the heap does not matter."""
        cur.execute(f'SELECT id FROM public."{table}" WHERE "orgId" = %s AND "deletedAt" IS NULL AND {where} ORDER BY id',
                    (self.org,))
        ids = [row[0] for row in cur.fetchall()]
        if not ids:
            return None
        ident = self.random.choice(ids)
        if columns == "id":
            return ident
        cur.execute(f'SELECT {columns} FROM public."{table}" WHERE id = %s', (ident,))
        return (ident, *cur.fetchone())

    def set(self, cur, table, ident, **columns):
        sets = "".join(f', "{name}" = %s' for name in columns)
        cur.execute(f'UPDATE public."{table}" SET "updatedAt" = now(), "updatedBy" = %s{sets} WHERE id = %s',
                    (self.user, *columns.values(), ident))
        return ident

    def insert(self, cur, table, prefix, **columns):
        self.number += 1
        ident = typeid(prefix, self.number)
        names, marks = "".join(f', "{name}"' for name in columns), ", %s" * len(columns)
        cur.execute(f'INSERT INTO public."{table}" (id, "orgId", "createdAt", "createdBy"{names}) '
                    f"VALUES (%s, %s, now(), %s{marks})", (ident, self.org, self.user, *columns.values()))
        return ident

    def edge(self, cur, one, two, key="has", metadata=None):
        """one and two: (tag, id), in the direction that OpenFaith gives them."""
        (tag_a, a), (tag_b, b) = one, two
        low_a, low_b = ("a" <= x[0].lower() <= "m" for x in (a, b))
        if not (low_a if low_a != low_b else a <= b):
            (tag_a, a), (tag_b, b) = (tag_b, b), (tag_a, a)
        cur.execute('INSERT INTO openfaith_edges ("orgId", "sourceEntityId", "sourceEntityTypeTag", "targetEntityId", '
                    '"targetEntityTypeTag", "relationshipType", metadata, "createdAt", "createdBy") '
                    'VALUES (%s, %s, %s, %s, %s, %s, %s, now(), %s) ON CONFLICT ("orgId", "sourceEntityId", "targetEntityId", '
                    '"relationshipType") DO UPDATE SET "deletedAt" = NULL, "deletedBy" = NULL, "updatedAt" = now(), '
                    '"updatedBy" = excluded."createdBy"',
                    (self.org, a, tag_a, b, tag_b, f"{tag_a}_{key}_{tag_b}", json.dumps(metadata or {}), self.user))
        return f"{a}|{b}"

    def word(self, text):
        return f"{text} {self.random.randrange(100000)}"

    # -- what they do ------------------------------------------------------------------------------------------------------
    def edit_person(self, cur):
        ident = self.any(cur, "openfaith_people")
        pick = self.random.choice
        change = pick((("firstName", pick(FIRST)), ("lastName", self.word(pick(LAST))), ("middleName", pick(FIRST)),
                       ("birthdate", f"19{self.random.randrange(40, 99)}-0{self.random.randrange(1, 9)}-1{self.random.randrange(9)}"),
                       ("gender", pick(("male", "female"))), ("membership", self.word("Rank")), ("anniversary", None)))
        return ident and self.set(cur, "openfaith_people", ident, **dict([change]))

    def edit_custom(self, cur):
        row = self.any(cur, "openfaith_people", columns='"customFields"')
        if row is None:
            return None
        name = self.random.choice(("pco_nickname", "pco_given_name"))
        rest = [e for e in row[1] if e.get("name") != name]
        if self.random.random() < 0.8:
            rest.append({"_tag": "string", "name": name, "source": "pco", "value": self.word("Nick")})
        return self.set(cur, "openfaith_people", row[0], customFields=json.dumps(rest))

    def add_person(self, cur):
        ident = self.insert(cur, "openfaith_people", "person", firstName=self.random.choice(FIRST),
                            lastName=self.word(self.random.choice(LAST)))
        if self.random.random() < 0.7:
            self.email_of(cur, ident, True)
        if self.random.random() < 0.5:
            phone = self.insert(cur, "openfaith_phoneNumbers", "phonenumber", primary=True, location="Mobile",
                                number=f"+1{self.random.randrange(201, 989)}555{self.random.randrange(10000):04d}")
            self.edge(cur, ("phoneNumber", phone), ("person", ident))
        if self.random.random() < 0.3:
            city, state, code = self.random.choice(CITIES)
            home = self.insert(cur, "openfaith_addresses", "address", streetLine1=self.word("Long Way"), city=city, state=state,
                               zip=code, countryCode="US", location="Home")
            self.edge(cur, ("address", home), ("person", ident))
        return ident

    def email_of(self, cur, person, primary):
        ident = self.insert(cur, "openfaith_emails", "email", address=f"churn{self.number}@example.org", primary=primary,
                            location="Home")
        self.edge(cur, ("email", ident), ("person", person))
        return ident

    def add_email(self, cur):
        person = self.any(cur, "openfaith_people")
        return person and self.email_of(cur, person, False)

    def edit_email(self, cur):
        ident = self.any(cur, "openfaith_emails")
        return ident and self.set(cur, "openfaith_emails", ident, address=f"edited{self.random.randrange(10 ** 9)}@example.org")

    def edit_phone(self, cur):
        ident = self.any(cur, "openfaith_phoneNumbers")
        return ident and self.set(cur, "openfaith_phoneNumbers", ident, location=self.random.choice(("Home", "Work", "Other")),
                                  number=f"+1312555{self.random.randrange(10000):04d}")

    def edit_address(self, cur):
        ident = self.any(cur, "openfaith_addresses")
        return ident and self.set(cur, "openfaith_addresses", ident, streetLine1=self.word("Moved Street"))

    def delete_any(self, cur, table):
        ident = self.any(cur, table)
        if ident:
            cur.execute(f'UPDATE public."{table}" SET "deletedAt" = now(), "deletedBy" = %s WHERE id = %s', (self.user, ident))
        return ident

    def delete_email(self, cur):
        return self.delete_any(cur, "openfaith_emails")

    def delete_person(self, cur):
        return self.delete_any(cur, "openfaith_people")

    def delete_household(self, cur):
        return self.delete_any(cur, "openfaith_households")

    def edit_group(self, cur):
        ident = self.any(cur, "openfaith_groups", '"archivedAt" IS NULL')
        return ident and self.set(cur, "openfaith_groups", ident, schedule=self.word("Day"))

    def add_member(self, cur):
        group = self.any(cur, "openfaith_groups", '"archivedAt" IS NULL')
        person = self.any(cur, "openfaith_people")
        return group and person and self.edge(cur, ("group", group), ("person", person), metadata={"role": "member"})

    def remove_edge(self, cur, kind):
        cur.execute('SELECT "sourceEntityId", "targetEntityId" FROM openfaith_edges WHERE "orgId" = %s AND "relationshipType" = %s '
                    'AND "deletedAt" IS NULL ORDER BY 1, 2', (self.org, kind))
        rows = cur.fetchall()
        if not rows:
            return None
        edge = self.random.choice(rows)
        cur.execute('UPDATE openfaith_edges SET "deletedAt" = now(), "deletedBy" = %s WHERE "orgId" = %s AND "sourceEntityId" = %s '
                    'AND "targetEntityId" = %s AND "relationshipType" = %s', (self.user, self.org, *edge, kind))
        return "|".join(edge)

    def remove_member(self, cur):
        return self.remove_edge(cur, "group_has_person")

    def edit_household(self, cur):
        ident = self.any(cur, "openfaith_households")
        return ident and self.set(cur, "openfaith_households", ident, name=self.word("House"))

    def add_to_household(self, cur):
        home, person = self.any(cur, "openfaith_households"), self.any(cur, "openfaith_people")
        return home and person and self.edge(cur, ("household", home), ("person", person))

    def edit_fund(self, cur):
        ident = self.any(cur, "openfaith_funds")
        return ident and self.set(cur, "openfaith_funds", ident, description=self.word("For all"))
