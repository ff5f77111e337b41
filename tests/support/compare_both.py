# SPDX-License-Identifier: Apache-2.0
"""The comparison when both sides were edited: what must be the same after `settle`, and what may differ then.

May differ: the moments and authors of rows (each side has its own), another spelling of the same (case, blanks, the form of a
telephone number, seconds), nothing said as '' or as null, what an open review is about, what the ChMS cannot take, rows and
edges that the ChMS knows nothing about and cannot make. Everything else is a difference, as in compare.py.
"""
import datetime
import json
import re

from compare import GONE, Comparison
from pco_expect import KINDS, attribute, parse_time, relation

# made in Planning Center only (what refers to one of them here without a partner there cannot go out)
NOT_MADE_THERE = {"openfaith_folders", "openfaith_fields", "openfaith_fieldOptions", "openfaith_groups",
                  "openfaith_designations"}
# and these not without one of those: table -> tag of the other end
NEEDS = {"openfaith_emails": "person", "openfaith_phoneNumbers": "person", "openfaith_addresses": "person",
         "openfaith_donations": "batch"}
# counts and names that follow from other records; they arrive with the next reconciliation
FOLLOWS = {("Household", "memberCount"), ("Group", "memberCount"), ("Batch", "totalCents")}
FOLLOWS_CUSTOM = {"primary_contact_name", "deletable"}


def digits(text):
    number = re.sub(r"\D", "", text)
    return number[1:] if len(number) == 11 and number.startswith("1") else number


def same(ours, theirs, phone=False):
    """Whether both say the same, in whatever spelling."""
    if ours in (None, "") and theirs in (None, ""):
        return True
    if isinstance(ours, str) and isinstance(theirs, str):
        if phone and digits(ours) and digits(ours) == digits(theirs):
            return True
        return " ".join(ours.split()).casefold() == " ".join(theirs.split()).casefold()
    if isinstance(ours, datetime.datetime) and isinstance(theirs, datetime.datetime):
        return ours.replace(microsecond=0) == theirs.replace(microsecond=0)
    return ours == theirs


def spelled(element):
    """A custom field's element with its value in one spelling."""
    tag, name, text = element
    value = json.loads(text)
    return tag, name, " ".join(value.split()).casefold() if isinstance(value, str) else text


class BothWays(Comparison):
    """As Comparison, for an organization whose rows were edited here too. `unlinked`: ids of rows that may have no partner;
    `follow`: also what follows from other records must be right (after a reconciliation)."""

    def __init__(self, *args, unlinked=(), follow=False):
        super().__init__(*args)
        self.unlinked, self.follow = set(unlinked), follow
        self.reviews = {}    # (external type, external id) and entity id -> fields ('' the whole)
        self.deletions = set()  # the same keys: somebody is asked whether it is to be deleted
        self.edges, self.others = {}, {}  # living edges by their key; entity -> entities at the other ends

    def load(self):
        super().load()
        for row in self.query("SELECT kind, external_type, external_id, entity_id, field FROM sync.review "
                              "WHERE org_id = %s AND adapter = %s AND state = 'open'", (self.org, self.adapter)):
            keys = [(row["external_type"], row["external_id"]), row["entity_id"]]
            for key in keys:
                if key is not None and key != (None, None):
                    self.reviews.setdefault(key, set()).add(row["field"])
                    if row["kind"] == "delete":
                        self.deletions.add(key)

        for row in self.query('SELECT * FROM openfaith_edges WHERE "orgId" = %s AND "deletedAt" IS NULL', (self.org,)):
            ends = row["sourceEntityId"], row["targetEntityId"]
            self.edges[(*ends, row["relationshipType"])] = row
            for one, other in (ends, ends[::-1]):
                self.others.setdefault(one, set()).add(other)

    def asked(self, name, ident, entity, field=None):
        """Whether a person is asked about this record (or about a field of it)."""
        fields = self.reviews.get((name, ident), set()) | self.reviews.get(entity, set())
        return bool(fields) if field is None else bool(fields & {"", field, field.split(".")[-1]})

    # -- links ---------------------------------------------------------------------------------------------------------
    def check_links(self, name):
        """A link's external_updated_at may be behind (nothing was said that was not known), never ahead."""
        links = self.links[name]
        for ident, record in self.records[name].items():
            link, theirs = links.get(ident), parse_time(attribute(record, "updated_at"))
            if link and theirs and link["external_updated_at"] and link["external_updated_at"] < theirs:
                links[ident] = {**link, "external_updated_at": theirs}
        super().check_links(name)

    def may_lag(self, name):
        """No time announces a household's members: what went is known with the next reconciliation."""
        return name == "HouseholdMembership" and not self.follow

    def check_link_state(self, name, ident, link):
        if link["state"] == "ambiguous" and self.asked(name, ident, link["entity_id"]):
            return
        if link["state"] == "unlinked":
            return  # somebody undid it
        super().check_link_state(name, ident, link)

    # -- entities --------------------------------------------------------------------------------------------------------
    def check_entity(self, name, ident, record, keys, values):
        entity = self.entities.get((name, ident))
        row = self.rows[KINDS[name].table].get(entity) if entity else None
        owner = ("Person", relation(record, "person")) if KINDS[name].table in NEEDS else None
        if row is not None and row["deletedAt"] is not None and self.deletions & {(name, ident), entity, owner}:
            return  # deleted here, and somebody is asked whether it (or whose it is) is to be deleted there
        super().check_entity(name, ident, record, keys, values)

    def check_field(self, name, ident, entity, column, theirs, row, before):
        have = row[column].rstrip() if column == "_tag" and isinstance(row[column], str) else row[column]
        if same(have, theirs, phone=column == "number") or self.asked(name, ident, entity, column) or \
                (not self.follow and (name, column) in FOLLOWS):
            return
        super().check_field(name, ident, entity, column, theirs, row, None)

    def check_custom(self, name, ident, row, wanted, before, optional):
        prefix = f"{self.adapter}_"
        have = {(e.get("_tag"), e.get("name"), json.dumps(e.get("value"), ensure_ascii=False, sort_keys=True))
                for e in row["customFields"] or [] if e.get("source") == self.adapter}
        skip = set() if self.follow else {prefix + attr for attr in FOLLOWS_CUSTOM}
        ours, theirs = ({spelled(e): e for e in group if e[1] not in skip and json.loads(e[2]) not in (None, "")}
                        for group in (have, wanted))
        place = f"{KINDS[name].table} customFields"
        for key in sorted(theirs.keys() - ours.keys() - {spelled(e) for e in optional}, key=str):
            if not self.asked(name, ident, row["id"], key[1]):
                self.out.add(place, f"{name} {ident} ({row['id']}): lacks {theirs[key]}")
        for key in sorted(ours.keys() - theirs.keys(), key=str):
            if not self.asked(name, ident, row["id"], key[1]):
                self.out.add(place, f"{name} {ident} ({row['id']}): has {ours[key]}, which they don't")

    def check_times(self, name, ident, record, row, before):
        created = parse_time(attribute(record, "created_at")) if KINDS[name].has_times else None
        if created is not None and row["createdBy"] == f"sync:{self.adapter}" and row["createdAt"] != created:
            self.out.add(KINDS[name].table, f"{name} {ident}: createdAt {row['createdAt']}, theirs {created}")

    def check_unlinked_rows(self):
        """Every living row has its partner, but for those that cannot have one."""
        linked, tombs = set(self.entities.values()), {}
        for name, links in self.links.items():
            for ident, link in links.items():
                if link["kind"] == "entity" and link["entity_id"] and link["state"] in GONE:
                    tombs[link["entity_id"]] = (name, ident, link["state"])
        in_scope = {KINDS[name].table for name in self.types}
        for table, rows in self.rows.items():
            for entity, row in rows.items():
                if entity in linked or row["deletedAt"] is not None or table not in in_scope:
                    continue
                if entity in tombs:
                    name, ident, state = tombs[entity]
                    if state != "unlinked" and not self.deletions & {(name, ident), entity}:
                        self.out.add(table, f"row {entity} of {(name, ident)}, which is gone there ({state})")
                elif table in NEEDS and not any(other in linked and other.startswith(NEEDS[table] + "_")
                                                for other in self.others.get(entity, ())):
                    continue  # what it belongs to is not there
                elif table not in NOT_MADE_THERE and entity not in self.unlinked and entity not in self.reviews and \
                        row["createdBy"] != f"sync:{self.adapter}" and self.mode != "chms":
                    self.out.add(table, f"row {entity} of ours is not there")
                elif row["createdBy"] == f"sync:{self.adapter}":
                    self.out.add(table, f"row {entity} of theirs has no link")

    def check_preexisting(self):
        pass

    # -- edges -----------------------------------------------------------------------------------------------------------
    def check_edges(self):
        ends = {entity: key for key, entity in self.entities.items()}
        have = self.edges
        for edge, wanted in self.expected_edges.items():
            if edge in have:
                self.check_metadata(edge, have[edge]["metadata"], wanted)
            elif not self.edge_asked(edge, ends):
                self.out.add(f"edge {edge[2]}", f"{edge[0]} -> {edge[1]} is missing: {self.end_names(edge, ends)}")
        known = {edge[2] for edge in self.expected_edges}
        for edge in have:
            if edge not in self.expected_edges and edge[2] in known and edge[0] in ends and edge[1] in ends and \
                    not self.edge_asked(edge, ends):
                self.out.add(f"edge {edge[2]}", f"{edge[0]} -> {edge[1]} is there, but not in the ChMS: "
                                                f"{self.end_names(edge, ends)}")

    def edge_asked(self, edge, ends):
        """A person is asked about one of its ends, or about the edge's own record."""
        return any(self.asked(*ends.get(entity, (None, None)), entity) for entity in edge[:2]) or "|".join(edge) in self.reviews

    @staticmethod
    def end_names(edge, ends):
        return " - ".join("/".join(ends[entity]) if entity in ends else "?" for entity in edge[:2])

    def check_metadata(self, edge, have, wanted):
        for key, value in wanted.items():
            if key == "relationshipKey":
                continue
            mine, theirs = have.get(key), value
            if key == "joinedAt":
                mine, theirs = parse_time(mine), parse_time(theirs)
            if not same(mine, theirs) and not (value is None and key not in have):
                self.out.add(f"edge {edge[2]}", f"{edge[0]} -> {edge[1]}: {key} is {mine!r}, must be {theirs!r}")
