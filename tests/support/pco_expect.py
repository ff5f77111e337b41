# SPDX-License-Identifier: Apache-2.0
"""What a Planning Center record must look like in OpenFaith's tables: written from the documents of both sides
(docs/cdm.md is OpenFaith's, the API's own names are Planning Center's), never from the worker's mapping code.

`Kind` describes one external type; `expected_fields` gives the values that its row must hold.
"""
import datetime
import json
import re
from dataclasses import dataclass, field

UTC = datetime.timezone.utc


@dataclass
class Kind:
    kind: str = "entity"            # entity, edge, value, reference
    table: str = ""
    tag: str = ""
    columns: dict = field(default_factory=dict)     # column -> (attribute, type); a trailing ! means NOT NULL
    constants: dict = field(default_factory=dict)   # column -> value
    custom: dict = field(default_factory=dict)      # attribute -> type
    edges: list = field(default_factory=list)       # (relation key, external type of the other end)
    needs: tuple = ()
    has_times: bool = True


def _cols(**columns):
    return {name: tuple(spec.split()) for name, spec in columns.items()}


KINDS = {
    "Campus": Kind(table="openfaith_campuses", tag="campus", columns=_cols(
        name="name text!", street="street text!", city="city text!", state="state text!", zip="zip text!",
        countryCode="country text", description="description text", latitude="latitude float",
        longitude="longitude float", url="website text", avatar="avatar_url text"),
        custom={"church_center_enabled": "bool", "contact_email_address": "text", "date_format": "int",
                "geolocation_set_manually": "bool", "phone_number": "text", "time_zone": "text",
                "time_zone_raw": "text", "twenty_four_hour_time": "bool"}),
    "MaritalStatus": Kind(kind="reference", has_times=False),
    "InactiveReason": Kind(kind="reference", has_times=False),
    "NamePrefix": Kind(kind="reference", has_times=False),
    "NameSuffix": Kind(kind="reference", has_times=False),
    "Person": Kind(table="openfaith_people", tag="person", columns=_cols(
        firstName="first_name text", middleName="middle_name text", lastName="last_name text", name="name text",
        gender="gender gender", birthdate="birthdate text", anniversary="anniversary text", avatar="avatar text",
        membership="membership text", status="status status!", inactivatedAt="inactivated_at time"),
        custom={"accounting_administrator": "bool", "child": "bool", "demographic_avatar_url": "text",
                "given_name": "text", "grade": "int", "graduation_year": "int", "medical_notes": "text",
                "nickname": "text", "passed_background_check": "bool", "people_permissions": "text",
                "remote_id": "int", "school_type": "text", "site_administrator": "bool"},
        edges=[("primary_campus", "Campus")],
        needs=("Campus", "MaritalStatus", "InactiveReason", "NamePrefix", "NameSuffix")),
    "Email": Kind(table="openfaith_emails", tag="email", columns=_cols(
        address="address text!", blocked="blocked bool!", primary="primary bool!", location="location text"),
        edges=[("person", "Person")], needs=("Person",)),
    "PhoneNumber": Kind(table="openfaith_phoneNumbers", tag="phoneNumber", columns=_cols(
        number="e164|number text", countryCode="country_code text", primary="primary bool!", location="location text"),
        custom={"carrier": "text", "international": "text", "national": "text"},
        edges=[("person", "Person")], needs=("Person",)),
    "Address": Kind(table="openfaith_addresses", tag="address", columns=_cols(
        streetLine1="street_line_1 text", streetLine2="street_line_2 text", city="city text", state="state text",
        zip="zip text", countryCode="country_code text", primary="primary bool!", location="location text"),
        custom={"country_name": "text"}, edges=[("person", "Person")], needs=("Person",)),
    "Tab": Kind(table="openfaith_folders", tag="folder", columns=_cols(name="name text!"),
                constants={"folderType": "pco_custom_field_tab"}, custom={"sequence": "int", "slug": "text"},
                has_times=False),
    "FieldDefinition": Kind(table="openfaith_fields", tag="field", columns=_cols(
        label="name text!", type="data_type text!"), constants={"entityTag": "person", "source": "pco"},
        custom={"sequence": "int", "config": "text"}, edges=[("tab", "Tab")], needs=("Tab",), has_times=False),
    "FieldOption": Kind(table="openfaith_fieldOptions", tag="fieldOption", columns=_cols(
        label="value text!", value="value text!", order="sequence int!"), needs=("FieldDefinition",),
        has_times=False),
    "FieldDatum": Kind(kind="value", needs=("Person", "FieldDefinition", "FieldOption")),
    "Household": Kind(table="openfaith_households", tag="household", columns=_cols(
        name="name text!", memberCount="member_count int", avatar="avatar text"),
        custom={"primary_contact_name": "text"},
        edges=[("primary_contact", "Person"), ("people", "Person")], needs=("Person",)),
    "HouseholdMembership": Kind(kind="edge", needs=("Household", "Person"), has_times=False),
    "GroupType": Kind(table="openfaith_folders", tag="folder", columns=_cols(
        name="name text!", description="description text", color="color text"),
        constants={"folderType": "pco_group_type"},
        custom={"church_center_visible": "bool", "church_center_map_visible": "bool",
                "default_group_settings": "text", "position": "int"}, has_times=False),
    "Group": Kind(table="openfaith_groups", tag="group", columns=_cols(
        name="name text!", description="description text", contactEmail="contact_email text", schedule="schedule text",
        memberCount="memberships_count int", archivedAt="archived_at time", url="public_church_center_web_url text",
        avatar="header_image image"),
        custom={"chat_enabled": "bool", "events_visibility": "text", "leaders_can_search_people_database": "bool",
                "location_type_preference": "text", "members_are_confidential": "bool", "virtual_location_url": "text",
                "widget_status": "json"},
        edges=[("group_type", "GroupType")], needs=("GroupType",)),
    "Membership": Kind(kind="edge", needs=("Group", "Person")),
    "Fund": Kind(table="openfaith_funds", tag="fund", columns=_cols(
        name="name text!", description="description text", ledgerCode="ledger_code text",
        visibility="visibility text", color="color text", primary="default bool!"), custom={"deletable": "bool"}),
    "PaymentSource": Kind(table="openfaith_paymentSources", tag="paymentSource", columns=_cols(name="name text!"),
                          custom={"payment_source_type": "text"}),
    "Batch": Kind(table="openfaith_batches", tag="batch", columns=_cols(
        description="description text", batchStatus="status text", totalCents="total_cents int",
        currency="total_currency text", committedAt="committed_at time")),
    "Donation": Kind(table="openfaith_donations", tag="donation", columns=_cols(
        amountCents="amount_cents int!", currency="amount_currency text", feeCents="fee_cents int",
        paymentMethod="payment_method text", paymentStatus="payment_status text",
        checkNumber="payment_check_number text", lastFour="payment_last4 text", brand="payment_brand text",
        receivedAt="received_at time", completedAt="completed_at time", refunded="refunded bool!"),
        custom={"payment_method_sub": "text", "payment_check_dated_at": "date", "fee_currency": "text",
                "fee_covered": "bool", "refundable": "bool"},
        edges=[("person", "Person"), ("batch", "Batch"), ("campus", "Campus"), ("payment_source", "PaymentSource")],
        needs=("Person", "Batch", "Campus", "PaymentSource")),
    "Designation": Kind(table="openfaith_designations", tag="designation", columns=_cols(
        amountCents="amount_cents int!", currency="amount_currency text", feeCents="fee_cents int"),
        custom={"fee_currency": "text"},
        edges=[("donation", "Donation"), ("fund", "Fund")], needs=("Donation", "Fund"), has_times=False),
}

# Person's to-one relations whose value becomes a custom field
PERSON_VALUES = {"marital_status": "MaritalStatus", "inactive_reason": "InactiveReason",
                 "name_prefix": "NamePrefix", "name_suffix": "NameSuffix"}
CUSTOM_TAGS = {"bool": "boolean", "int": "number", "float": "number", "text": "string", "date": "date",
               "time": "date", "json": "string"}


def scope(types):
    """The types asked for and all that they depend on; all types for None."""
    if not types:
        return list(KINDS)
    wanted, queue = set(), list(types)
    while queue:
        name = queue.pop()
        if name not in wanted:
            wanted.add(name)
            queue.extend(KINDS[name].needs)
    return [name for name in KINDS if name in wanted]


def parse_time(text):
    if text is None or isinstance(text, datetime.datetime):
        return text
    text = str(text).replace("Z", "+00:00").replace(" ", "T", 1)
    try:
        value = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


FILLERS = {"text": "", "int": 0, "float": 0.0, "bool": False, "status": "active"}


def convert(value, kind):
    """An attribute as the column of that type must hold it."""
    not_null = kind.endswith("!")
    kind = kind.rstrip("!")
    if value is None:
        return FILLERS[kind] if not_null else None
    if kind in ("text", "date"):
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if kind == "gender":
        return {"m": "male", "male": "male", "f": "female", "female": "female"}.get(str(value).strip().lower())
    if kind == "status":
        return value if value in ("active", "inactive") else "active"
    if kind == "time":
        return parse_time(value)
    if kind == "float":
        return float(value)
    if kind == "image":
        return image(value)
    return value


def image(value):
    """A picture in several sizes: the largest."""
    if isinstance(value, dict):
        return value.get("original") or value.get("medium") or value.get("thumbnail")
    return value


def attribute(record, names):
    """The first of `a|b` that is not null."""
    for name in names.split("|"):
        value = record.get("attributes", {}).get(name)
        if value is not None:
            return value
    return None


def relation(record, key):
    """External id of a to-one relation, by relationship or by `<key>_id` attribute; None when unset."""
    data = record.get("relationships", {}).get(key, {})
    data = data.get("data") if isinstance(data, dict) else None
    if isinstance(data, dict):
        return str(data["id"])
    value = record.get("attributes", {}).get(f"{key}_id", record.get(f"{key}_id"))
    return None if value is None else str(value)


def relations(record, key):
    """External ids of a to-one or to-many relation."""
    data = record.get("relationships", {}).get(key, {})
    data = data.get("data") if isinstance(data, dict) else None
    if isinstance(data, list):
        return [str(item["id"]) for item in data]
    one = relation(record, key)
    return [] if one is None else [one]


def expected_fields(name, record):
    """column -> value of an entity's row, custom fields aside."""
    kind = KINDS[name]
    out = dict(kind.constants)
    for column, (attr, type_) in kind.columns.items():
        out[column] = convert(attribute(record, attr), type_)
    return out


def expected_custom(name, record, adapter="pco"):
    """Set of (tag, name, JSON of the value) of the adapter's source that a record itself brings."""
    out = set()
    for attr, type_ in KINDS[name].custom.items():
        value = record.get("attributes", {}).get(attr)
        if value is not None:
            if type_ in ("text", "json") and not isinstance(value, str):
                value = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
            out.add((CUSTOM_TAGS[type_], f"{adapter}_{attr}", canonical(value)))
    return out


def canonical(value):
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def typed_value(text, data_type):
    """(tag, value) of a field datum's text by its definition's data type; what does not parse stays text."""
    if data_type == "number":
        if re.fullmatch(r"-?[0-9]+", text) and abs(int(text)) < 2 ** 53:
            return "number", int(text)
        if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", text) and abs(float(text)) != float("inf"):
            return "number", float(text)
        return "string", text
    if data_type == "boolean":
        if text.lower() in ("true", "false"):
            return "boolean", text.lower() == "true"
        return "string", text
    if data_type == "date":
        try:
            datetime.date.fromisoformat(text)
            return "date", text
        except ValueError:
            return "string", text
    return "string", text


def field_keys(definitions):
    """Field definition id -> key: the slug; where two share one, all but the lowest id get `_<id>`."""
    keys, taken = {}, set()
    for record in sorted(definitions, key=lambda r: int(r["id"]) if r["id"].isdigit() else 0):
        slug = record["attributes"].get("slug") or ""
        key = f"{slug}_{record['id']}" if slug in taken or not slug else slug
        taken.add(key)
        keys[record["id"]] = key
    return keys


def edge_of(tag_a, id_a, tag_b, id_b, key):
    """(source, target, relationship type) of a relation whose key is `key`, by OpenFaith's alpha pattern."""
    def low(ident):
        return "a" <= ident[0].lower() <= "m"
    if low(id_a) != low(id_b):
        a_first = low(id_a)
    else:
        a_first = id_a <= id_b
    source, target = ((tag_a, id_a), (tag_b, id_b)) if a_first else ((tag_b, id_b), (tag_a, id_a))
    middle = f"{key}" if "_" in key else "has"
    return source[1], target[1], f"{source[0]}_{middle}_{target[0]}"
