#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares an organization in OpenFaith's tables with the simulated ChMS, field by field and edge by edge.

Independent of the worker: it reads the simulator's own state (not what its API answered) and the database.

    compare.py --database URL --sim http://127.0.0.1:PORT --org ORG [--org-index N] [--mode M] [--types A,B] [--adapter pco] [--both]

Prints every difference, one a line; exit 0 when there is none, 1 otherwise.
"""
import argparse
import contextlib
import json
import os
import sys
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import psycopg2.extras  # noqa: E402

from pco_expect import (KINDS, PERSON_VALUES, attribute, canonical, edge_of, expected_custom,  # noqa: E402
                        expected_fields, field_keys, parse_time, relation, relations, scope, typed_value)

GONE = ("deleted", "merged_into", "unlinked")
MAX_PER_PLACE = 20


class HttpSim:
    """The simulator as seen from the command line."""

    def __init__(self, base_url):
        self.base_url = base_url.rstrip("/")

    def dump(self, org_index, kind):
        url = f"{self.base_url}/_sim/orgs/{org_index}/dump?type={kind}"
        with urllib.request.urlopen(url, timeout=300) as answer:
            return [json.loads(line) for line in answer.read().splitlines() if line.strip()]


class Differences:
    """Collects texts; beyond a number per place only counts."""

    def __init__(self):
        self.texts, self.counts = [], {}

    def add(self, place, text):
        self.counts[place] = self.counts.get(place, 0) + 1
        if self.counts[place] <= MAX_PER_PLACE:
            self.texts.append(f"{place}: {text}")

    def result(self):
        more = [f"{place}: and {n - MAX_PER_PLACE} more" for place, n in self.counts.items() if n > MAX_PER_PLACE]
        return self.texts + more


class Comparison:
    def __init__(self, db, sim, org_index, org_id, adapter, mode, types, preexisting, members_read):
        self.db, self.org, self.adapter, self.mode = db, org_id, adapter, mode
        self.types = scope(types)
        self.pre = preexisting or {}
        self.members_read = members_read
        self.out = Differences()
        self.records = {name: {r["id"]: r for r in self.living(sim.dump(org_index, name))} for name in self.types}
        self.links = {name: {} for name in KINDS}
        self.entities = {}      # external (type, id) -> entity id of linked entities
        self.rows = {}          # table -> id -> row
        self.expected_edges = {}

    @staticmethod
    def living(records):
        return [r for r in records if not r.get("attributes", {}).get("deleted_at") and not r.get("deleted")]

    def query(self, sql, args):
        with self.db.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cur:
            cur.execute(sql, args)
            return cur.fetchall()

    def run(self):
        self.load()
        for name in self.types:
            self.check_links(name)
        self.check_foreign_links()
        keys = field_keys(self.records.get("FieldDefinition", {}).values())
        values = self.field_values(keys)
        for name in self.types:
            if KINDS[name].kind == "entity":
                for ident, record in self.records[name].items():
                    self.check_entity(name, ident, record, keys, values)
            self.expect_edges(name)
        self.check_unlinked_rows()
        self.check_preexisting()
        self.check_edges()
        return self.out.result()

    # -- what is there ---------------------------------------------------------------------------------------------
    def load(self):
        for link in self.query("SELECT external_type, external_id, kind, entity_type, entity_id, state, "
                               "external_created_at, external_updated_at, last_processed_at FROM sync.external_link "
                               "WHERE org_id = %s AND adapter = %s", (self.org, self.adapter)):
            name, ident = link["external_type"], link["external_id"]
            if name not in self.links:
                self.out.add("links", f"{name} {ident}: no such external type")
                continue
            if ident in self.links[name]:
                self.out.add("links", f"{name} {ident}: two links")
            self.links[name][ident] = link
            if link["kind"] == "entity" and link["state"] == "linked" and link["entity_id"]:
                self.entities[(name, ident)] = link["entity_id"]
        for table in {kind.table for kind in KINDS.values() if kind.table}:
            self.rows[table] = {row["id"]: row for row in self.query(
                f'SELECT * FROM "{table}" WHERE "orgId" = %s', (self.org,))}

    # -- links -----------------------------------------------------------------------------------------------------
    def check_links(self, name):
        kind = KINDS[name]
        used = {}
        for ident, record in self.records[name].items():
            link = self.links[name].get(ident)
            where = f"link {name}"
            if link is None:
                if name == "HouseholdMembership" and not self.members_read:
                    continue
                self.out.add(where, f"{ident}: missing")
                continue
            if link["kind"] != kind.kind:
                self.out.add(where, f"{ident}: kind {link['kind']}, not {kind.kind}")
            self.check_link_state(name, ident, link)
            if kind.has_times:
                for column, attr in (("external_created_at", "created_at"), ("external_updated_at", "updated_at")):
                    theirs = parse_time(attribute(record, attr))
                    if theirs is not None and link[column] != theirs:
                        self.out.add(where, f"{ident}: {column} {link[column]}, theirs {theirs}")
            if kind.kind == "entity" and link["entity_id"]:
                if link["entity_id"] in used:
                    self.out.add(where, f"{ident}: shares {link['entity_id']} with {used[link['entity_id']]}")
                used[link["entity_id"]] = ident
                if link["entity_type"] != kind.tag:
                    self.out.add(where, f"{ident}: entity type {link['entity_type']}, not {kind.tag}")
        for ident, link in self.links[name].items():
            if ident not in self.records[name] and link["state"] not in GONE and not self.may_lag(name):
                self.out.add(f"link {name}", f"{ident}: {link['state']}, but there is no such record any more")

    def may_lag(self, name):  # pylint: disable=unused-argument,no-self-use
        """Whether a link of the type may be behind what is gone there."""
        return False

    def check_link_state(self, name, ident, link):
        kind, where = KINDS[name], f"link {name}"
        if kind.kind == "reference":
            if link["entity_id"] is not None:
                self.out.add(where, f"{ident}: a reference with an entity")
            return
        if kind.kind != "entity":
            return  # edges and values are checked with what they belong to
        if link["state"] == "linked":
            if not link["entity_id"]:
                self.out.add(where, f"{ident}: linked without an entity")
            elif link["last_processed_at"] is None:
                self.out.add(where, f"{ident}: linked but last_processed_at is null")
        elif self.mode != "openfaith" and not (link["state"] == "ambiguous" and self.pre):
            self.out.add(where, f"{ident}: state {link['state']}, not linked")

    def check_foreign_links(self):
        for name in KINDS:
            if name not in self.types and self.links[name]:
                self.out.add("links", f"{name}: {len(self.links[name])} links of a type that is not in scope")

    # -- entities ----------------------------------------------------------------------------------------------------
    def field_values(self, keys):
        """person id -> set of custom field elements from field data."""
        out = {}
        definitions = self.records.get("FieldDefinition", {})
        for ident, record in self.records.get("FieldDatum", {}).items():
            definition, person = relation(record, "field_definition"), relation(record, "customizable")
            link = self.links["FieldDatum"].get(ident)
            entity = self.entities.get(("Person", person))
            known = self.mode != "openfaith" or ("FieldDefinition", definition) in self.entities  # else there is no such field
            if link is not None and entity is not None and definition in definitions and known:
                if link["state"] != "linked" or link["entity_type"] != "person" or link["entity_id"] != entity:
                    self.out.add("link FieldDatum", f"{ident}: {link['state']} {link['entity_type']} "
                                                    f"{link['entity_id']}, not linked person {entity}")
            value = attribute(record, "value")
            if definition not in definitions or value is None:
                continue
            tag, typed = typed_value(value, definitions[definition]["attributes"].get("data_type"))
            out.setdefault(person, set()).add((tag, keys[definition], canonical(typed)))
        return out

    def check_entity(self, name, ident, record, keys, values):
        kind = KINDS[name]
        entity = self.entities.get((name, ident))
        if entity is None:
            return  # said with the links, where it is wrong
        where = f"{kind.table}"
        row = self.rows[kind.table].get(entity)
        if row is None:
            self.out.add(where, f"{name} {ident}: no row {entity}")
            return
        if row["deletedAt"] is not None:
            self.out.add(where, f"{name} {ident}: {entity} is deleted here, but lives there")
        fields = expected_fields(name, record)
        custom = expected_custom(name, record, self.adapter)
        if name == "FieldDefinition":
            fields["key"] = keys[ident]
        if name == "FieldOption":
            fields["fieldId"] = self.entities.get(("FieldDefinition", relation(record, "field_definition")))
        if name == "Person":
            custom |= values.get(ident, set())
            custom |= self.person_values(record)
        before = self.pre.get(kind.table, {}).get(entity)
        unset = {column for column, (attr, _) in kind.columns.items() if attribute(record, attr) is None}
        for column, value in fields.items():
            self.check_field(name, ident, entity, column, None if before and column in unset else value, row, before)
        self.check_custom(name, ident, row, custom, before, self.optional_values(name, ident, values))
        self.check_times(name, ident, record, row, before)

    def optional_values(self, name, ident, values):
        """In mode openfaith a field whose definition has no partner here may or may not have a name of its own."""
        if name != "Person" or self.mode != "openfaith":
            return set()
        return values.get(ident, set())

    def person_values(self, record):
        out = set()
        for key, name in PERSON_VALUES.items():
            other = self.records.get(name, {}).get(relation(record, key))
            value = attribute(other, "value") if other else None
            if value is not None:
                out.add(("string", f"{self.adapter}_{key}", canonical(value)))
        return out

    def check_field(self, name, ident, entity, column, theirs, row, before):
        wanted = theirs
        if before is not None and column in before:
            ours = before[column]
            wanted = (ours if ours is not None else theirs) if self.mode == "openfaith" else \
                (theirs if theirs is not None else ours)
        have = row[column]
        if isinstance(have, str) and column == "_tag":
            have = have.rstrip()
        if have != wanted:
            self.out.add(KINDS[name].table, f"{name} {ident} ({entity}): {column} is {have!r}, must be {wanted!r}")

    def check_custom(self, name, ident, row, wanted, before, optional):
        have, strange = set(), []
        for element in row["customFields"] or []:
            if element.get("source") != self.adapter:
                strange.append(element)
                continue
            have.add((element.get("_tag"), element.get("name"), canonical(element.get("value"))))
        place = f"{KINDS[name].table} customFields"
        for element in sorted(wanted - have - optional):
            self.out.add(place, f"{name} {ident}: lacks {element}")
        for element in sorted(have - wanted, key=str):
            self.out.add(place, f"{name} {ident}: has {element}, which they don't")
        if strange != [e for e in ((before or {}).get("customFields") or []) if e.get("source") != self.adapter]:
            self.out.add(place, f"{name} {ident}: elements of other sources changed: {strange}")

    def check_times(self, name, ident, record, row, before):
        place = KINDS[name].table
        if before is not None:
            if row["createdAt"] != before["createdAt"]:
                self.out.add(place, f"{name} {ident}: createdAt of a row that was there before changed")
            return
        if KINDS[name].has_times:
            created, updated = parse_time(attribute(record, "created_at")), parse_time(attribute(record, "updated_at"))
            if created is not None and row["createdAt"] != created:
                self.out.add(place, f"{name} {ident}: createdAt {row['createdAt']}, theirs {created}")
            if updated is not None and row["updatedAt"] != updated:
                self.out.add(place, f"{name} {ident}: updatedAt {row['updatedAt']}, theirs {updated}")
        if row["createdBy"] != f"sync:{self.adapter}":
            self.out.add(place, f"{name} {ident}: createdBy {row['createdBy']!r}")

    def check_unlinked_rows(self):
        """No entity without a link, none twice; what was deleted there is soft-deleted here."""
        linked, tombs = {}, {}
        for name in self.links:
            for ident, link in self.links[name].items():
                if link["kind"] == "entity" and link["entity_id"]:
                    (linked if link["state"] == "linked" else tombs).setdefault(link["entity_id"], (name, ident))
        for table, rows in self.rows.items():
            for entity, row in rows.items():
                if entity in linked or entity in self.pre.get(table, {}):
                    continue
                if row["deletedAt"] is None:
                    of = f"of {tombs[entity]}, which is gone there" if entity in tombs else "without a link"
                    self.out.add(table, f"row {entity} {of}")
                elif entity not in tombs:
                    self.out.add(table, f"deleted row {entity} without a tombstone")

    def check_preexisting(self):
        linked = set(self.entities.values())
        for table, rows in self.pre.items():
            if table == "openfaith_edges":
                continue  # in check_edges
            for entity, before in rows.items():
                now = self.rows.get(table, {}).get(entity)
                if now is None:
                    self.out.add(table, f"row {entity}, which was there before, has vanished")
                elif entity not in linked and any(now[c] != v for c, v in before.items()):
                    changed = [c for c, v in before.items() if now[c] != v]
                    self.out.add(table, f"row {entity}, which is not linked, was changed: {changed}")

    # -- edges ---------------------------------------------------------------------------------------------------------
    def expect_edges(self, name):
        if KINDS[name].kind == "entity":
            for ident, record in self.records[name].items():
                for key, other_type in KINDS[name].edges:
                    if name == "Household" and key == "people":
                        continue  # their members come from the membership records
                    for other in relations(record, key):
                        self.expect_edge(name, ident, other_type, other, key, {})
        elif name == "HouseholdMembership":
            self.expect_members(name, "Household", "household", "people", {"pending": "pending"}, "household_role")
        elif name == "Membership":
            self.expect_members(name, "Group", "group", "person", {"joinedAt": "joined_at"}, "role")
        if name == "Household" and "HouseholdMembership" not in self.types:
            for ident, record in self.records[name].items():
                for other in relations(record, "people"):
                    self.expect_edge(name, ident, "Person", other, "people", {})

    def expect_members(self, name, parent_type, parent_key, key, keys, role):
        for ident, record in self.records[name].items():
            metadata = {ours: attribute(record, theirs) for ours, theirs in keys.items()}
            if attribute(record, role) is not None:
                metadata["role"] = attribute(record, role)
            read = name != "HouseholdMembership" or self.members_read
            edge = self.expect_edge(parent_type, parent_of(record, parent_key), "Person", relation(record, "person"),
                                    key, metadata if read else {})
            link = self.links[name].get(ident)
            if edge and link and link["state"] == "linked" and link["entity_id"] != "|".join(edge):
                self.out.add(f"link {name}", f"{ident}: entity id {link['entity_id']}, must be {'|'.join(edge)}")
            if edge and link and read and link["state"] != "linked":
                self.out.add(f"link {name}", f"{ident}: {link['state']}, not linked")

    def expect_edge(self, name_a, ident_a, name_b, ident_b, key, metadata):
        one, two = self.entities.get((name_a, ident_a)), self.entities.get((name_b, ident_b))
        if one is None or two is None or ident_b not in self.records.get(name_b, {}):
            return None
        edge = edge_of(KINDS[name_a].tag, one, KINDS[name_b].tag, two, key)
        self.expected_edges.setdefault(edge, {"relationshipKey": key}).update(metadata)
        return edge

    def check_edges(self):
        have = {}
        for row in self.query('SELECT * FROM openfaith_edges WHERE "orgId" = %s AND "deletedAt" IS NULL', (self.org,)):
            have[(row["sourceEntityId"], row["targetEntityId"], row["relationshipType"])] = row
        for edge, wanted in self.expected_edges.items():
            row = have.get(edge)
            if row is None:
                self.out.add(f"edge {edge[2]}", f"{edge[0]} -> {edge[1]} is missing")
                continue
            for column, ident in (("sourceEntityTypeTag", edge[0]), ("targetEntityTypeTag", edge[1])):
                if row[column].lower() != ident.split("_")[0]:
                    self.out.add(f"edge {edge[2]}", f"{column} {row[column]} of {ident}")
            self.check_metadata(edge, row["metadata"], wanted)
        before = self.pre.get("openfaith_edges", {})
        for edge in before:
            if edge not in have:
                self.out.add("openfaith_edges", f"row {edge}, which was there before, has vanished")
        for edge in have:
            if edge not in self.expected_edges and edge not in before and edge[2] != "merged":
                self.out.add(f"edge {edge[2]}", f"{edge[0]} -> {edge[1]} is there, but not in the ChMS")

    def check_metadata(self, edge, have, wanted):
        if edge in self.pre.get("openfaith_edges", {}):
            return
        if have.get("source") != f"{self.adapter}_direct":
            self.out.add(f"edge {edge[2]}", f"{edge[0]} -> {edge[1]}: source {have.get('source')!r}")
        for key, value in wanted.items():
            mine = have.get(key)
            equal = parse_time(mine) == parse_time(value) if key == "joinedAt" and mine and value else mine == value
            if not equal and not (value is None and key not in have):
                self.out.add(f"edge {edge[2]}", f"{edge[0]} -> {edge[1]}: {key} is {mine!r}, must be {value!r}")


def parent_of(record, key):
    """The id of what a record lives under: a relationship, an attribute, or a part of its own link."""
    one = relation(record, key)
    if one is None:
        words = str(record.get("links", {}).get("self", "")).split("/")
        if f"{key}s" in words[:-1]:
            one = words[words.index(f"{key}s") + 1]
    return one


def compare(db_url, sim, org_index, org_id, adapter="pco", mode="bidirectional", types=None, preexisting=None,
            members_read=True, both=False, **options):
    """The differences, as texts. `preexisting`: table -> id -> columns of rows that were there before the sync (for
    openfaith_edges the id is (source, target, type)). members_read: the household membership records must have been read.
    both: rows were edited on both sides (compare_both.py; options are its own)."""
    with contextlib.closing(psycopg2.connect(db_url)) as db:
        db.set_session(isolation_level="REPEATABLE READ", readonly=True)
        wanted = (db, sim, org_index, org_id, adapter, mode, types, preexisting, members_read)
        if both:
            from compare_both import BothWays  # pylint: disable=import-outside-toplevel,cyclic-import
            return BothWays(*wanted, **options).run()
        return Comparison(*wanted).run()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", default=os.environ.get("OF_DATABASE_URL"), required="OF_DATABASE_URL" not in os.environ)
    parser.add_argument("--sim", required=True)
    parser.add_argument("--org", required=True)
    parser.add_argument("--org-index", type=int, default=1)
    parser.add_argument("--mode", default="bidirectional", choices=["bidirectional", "openfaith", "chms"])
    parser.add_argument("--types", type=lambda text: text.split(","))
    parser.add_argument("--no-members", action="store_true", help="household membership records need not have been read")
    parser.add_argument("--adapter", default="pco")
    parser.add_argument("--both", action="store_true", help="rows were edited on both sides")
    args = parser.parse_args()
    found = compare(args.database, HttpSim(args.sim), args.org_index, args.org, mode=args.mode, types=args.types,
                    members_read=not args.no_members, adapter=args.adapter, both=args.both)
    print("\n".join(found) if found else "no difference")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
