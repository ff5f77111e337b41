# SPDX-License-Identifier: Apache-2.0
"""OpenFaith data that was there before a sync: people typed in by hand, some of whom the ChMS knows too."""
import contextlib
import json
import time

import psycopg2.extras

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def typeid(prefix, number):
    """A TypeID of a moment long ago: a UUIDv7 whose random part is `number`."""
    bits = ((int(time.time() * 1000) - 86_400_000 + number) << 80) | (0x7 << 76) | (0x2 << 62) | number
    text = ""
    for _ in range(26):
        text = ALPHABET[bits & 31] + text
        bits >>= 5
    return f"{prefix}_{text}"


def by(records, key):
    out = {}
    for record in records:
        value = key(record)
        if value is not None:
            out.setdefault(value, []).append(record)
    return out


def lower(text):
    return " ".join(text.lower().split()) if isinstance(text, str) and text.strip() else None


def person_of(record):
    data = record["relationships"].get("person", {}).get("data")
    return data["id"] if data else None


def choose(sim, org_index, n):
    """Up to n people of the ChMS that a human would find again without doubt: (record, email record or None), each by a
    full name that nobody else has, and an e-mail address or birth date."""
    people = sim.dump(org_index, "Person")
    emails = by(sim.dump(org_index, "Email"), person_of)
    names = by(people, lambda r: lower(f"{r['attributes'].get('first_name') or ''} {r['attributes'].get('last_name') or ''}"))
    chosen = []
    for record in people:
        attrs = record["attributes"]
        if not (attrs.get("first_name") or "").strip() or not (attrs.get("last_name") or "").strip():
            continue
        if len(names[lower(f"{attrs['first_name']} {attrs['last_name']}")]) > 1:
            continue
        own = [e for e in emails.get(record["id"], []) if "@" in (e["attributes"].get("address") or "")]
        if own or attrs.get("birthdate"):
            chosen.append((record, own[0] if own else None))
        if len(chosen) == n:
            break
    return chosen


class Before:
    """Inserts people with e-mail addresses; remembers the rows for compare.py and who must be matched with whom."""

    def __init__(self, cluster, org):
        self.cluster, self.org = cluster, org
        self.rows = {"openfaith_people": {}, "openfaith_emails": {}, "openfaith_edges": {}}
        self.pairs = {}         # external person id -> entity id
        self.number = 0

    def insert(self, cur, table, values):
        columns = ", ".join(f'"{name}"' for name in values)
        cur.execute(f'INSERT INTO "{table}" ({columns}) VALUES ({", ".join(["%s"] * len(values))})', list(values.values()))

    def person(self, cur, first, last, birthdate=None, address=None, **more):
        self.number += 1
        ident = typeid("person", self.number)
        self.insert(cur, "openfaith_people", {
            "id": ident, "orgId": self.org, "createdAt": "2024-03-01T10:00:00Z", "createdBy": "user_hand",
            "firstName": first, "lastName": last, "name": f"{first} {last}", "birthdate": birthdate,
            "customFields": json.dumps([{"_tag": "string", "name": "shirt", "source": "hand", "value": "L"}]), **more})
        if address:
            email = typeid("email", self.number)
            self.insert(cur, "openfaith_emails", {
                "id": email, "orgId": self.org, "createdAt": "2024-03-01T10:00:00Z", "createdBy": "user_hand",
                "address": address})
            self.insert(cur, "openfaith_edges", {
                "orgId": self.org, "sourceEntityId": email, "sourceEntityTypeTag": "email", "targetEntityId": ident,
                "targetEntityTypeTag": "person", "relationshipType": "email_has_person",
                "createdAt": "2024-03-01T10:00:00Z"})
        return ident

    def fill(self, known=400, strangers=100, org_index=1):
        """`known` people whom the ChMS has too, `strangers` whom it has not."""
        with contextlib.closing(self.cluster.db()) as db, db.cursor() as cur:
            cur.execute("BEGIN")
            for i, (record, email) in enumerate(choose(self.cluster.sim, org_index, known)):
                attrs = record["attributes"]
                address = email["attributes"]["address"] if email else None
                # as people type: other case, blanks around; a middle name that only we know
                ident = self.person(cur, attrs["first_name"].upper() if i % 3 == 0 else attrs["first_name"],
                                    attrs["last_name"], attrs.get("birthdate") if not address or i % 2 else None,
                                    address.upper() if address and i % 4 == 0 else address,
                                    middleName="Hand", membership=None)
                self.pairs[record["id"]] = ident
            for i in range(strangers):
                self.person(cur, f"Stranger{i}", "Of Elsewhere", "1971-02-03", f"stranger{i}@nowhere.invalid")
            cur.execute("COMMIT")
        self.remember()
        return self

    def remember(self):
        with contextlib.closing(self.cluster.db()) as db, \
                db.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cur:
            for table in ("openfaith_people", "openfaith_emails"):
                cur.execute(f'SELECT * FROM "{table}" WHERE "orgId" = %s', (self.org,))
                self.rows[table] = {row["id"]: row for row in cur.fetchall()}
            cur.execute('SELECT * FROM openfaith_edges WHERE "orgId" = %s', (self.org,))
            self.rows["openfaith_edges"] = {
                (r["sourceEntityId"], r["targetEntityId"], r["relationshipType"]): r for r in cur.fetchall()}

    def assert_matched(self):
        """Everyone that had to be found was found, and nobody has one address twice."""
        links = dict(self.cluster.query(
            "SELECT external_id, entity_id FROM sync.external_link WHERE org_id = %s AND external_type = 'Person' "
            "AND state = 'linked'", self.org))
        wrong = [(ext, links.get(ext), mine) for ext, mine in self.pairs.items() if links.get(ext) != mine]
        if wrong:
            raise AssertionError(f"{len(wrong)} of {len(self.pairs)} people were not matched with the row that was there: "
                                 f"{wrong[:10]}")
        doubled = self.cluster.query(
            'SELECT e."targetEntityId", lower(trim(m.address)), count(*) FROM openfaith_edges e JOIN openfaith_emails m '
            'ON m.id = e."sourceEntityId" AND m."deletedAt" IS NULL WHERE e."orgId" = %s AND e."deletedAt" IS NULL AND '
            'e."relationshipType" = %s AND e."targetEntityId" = ANY(%s) GROUP BY 1, 2 HAVING count(*) > 1', self.org,
            "email_has_person", list(self.pairs.values()))
        theirs = {}
        for record in self.cluster.sim.dump(1, "Email"):
            key = (links.get(person_of(record)), lower(record["attributes"].get("address") or ""))
            theirs[key] = theirs.get(key, 0) + 1
        doubled = [row for row in doubled if theirs.get((row[0], row[1]), 0) < row[2]]
        if doubled:
            raise AssertionError(f"an address twice at one person: {doubled[:10]}")
