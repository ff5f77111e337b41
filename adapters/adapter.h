/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_ADAPTER_H
#define OF_ADAPTER_H

/* What an adapter is: constant tables (types, fields, relations, capabilities), and the few functions that turn positions
 * into requests and answers into records. Nothing here does I/O, knows the database, or logs. Any thread, no blocking.
 * The tables are read in both directions: incoming (attr -> column) now, outgoing (column -> attr) by the push. */

#include "common/base/base.h"
#include "common/base/buf.h"
#include "common/err/err.h"
#include "common/json/json.h"
#include "common/time/time.h"

/* --- tables --- */

enum of_conv {
    OF_CONV_TEXT = 0,
    OF_CONV_BOOL,
    OF_CONV_INT,
    OF_CONV_DOUBLE,
    OF_CONV_DATE, /* text YYYY-MM-DD, custom field tag date */
    OF_CONV_TIME, /* timestamptz column, or custom field tag date */
    OF_CONV_ANY,  /* custom field: tag by the JSON type met; objects and arrays become their JSON text */
    OF_CONV_INT_TEXT, /* their integer is our text (a check's number); text is accepted too */
    OF_CONV_IMAGE     /* an address, or an object of sizes (original, medium, thumbnail): the largest there is */
};

enum of_field_flags {
    OF_FIELD_READ_ONLY = 1, /* theirs never takes it: not part of project() */
    OF_FIELD_REQUIRED = 2,  /* a record without it is refused by them */
    OF_FIELD_CREATE_ONLY = 4, /* taken by a create, refused by an update */
    OF_FIELD_TRUE_ONLY = 8,   /* a truth that another record's truth ends (primary): false is never sent */
    OF_FIELD_BY_STATUS = 16,  /* theirs sets and clears it when status is sent: sent alone, and only while status is inactive */
    OF_FIELD_DERIVED = 32     /* theirs makes it of what travels inside a create: compared with the answer, never an attribute */
};

/* What their API lets one do with records of a type. */
enum of_verb { OF_VERB_CREATE = 1, OF_VERB_UPDATE = 2, OF_VERB_DELETE = 4 };

struct of_value_map {
    const char *theirs;
    const char *ours;
}; /* ends with theirs NULL; several theirs may give one ours, the first is sent back; blanks around it and case (ASCII) do
    * not count; "*" stands for every other value; without it unknown values become null */

struct of_field {
    const char *attr;   /* theirs: first_name */
    const char *column; /* ours: firstName; NULL: customFields element `<adapter>_<attr>`, source <adapter> */
    enum of_conv conv;
    unsigned flags;
    const struct of_value_map *map; /* or NULL */
    const char *fallback;           /* another attribute where attr is null (number for e164); it is the one sent. NULL: none */
}; /* a table ends with attr NULL. For OF_KIND_EDGE columns are metadata keys of the edge, for OF_KIND_VALUE and
    * OF_KIND_REFERENCE the one column is `value`. */

/* A column whose value is the same for every record of the type. */
struct of_constant {
    const char *column;
    const char *value; /* NULL: the adapter's own name, which tells two accounts apart */
}; /* ends with column NULL */

enum of_rel_kind {
    OF_REL_EDGE = 1, /* to-one: an edge between the two entities */
    OF_REL_EDGES,    /* to-many: an edge each (Household.people) */
    OF_REL_VALUE,    /* to-one to a reference type: its `value` becomes customFields element `<adapter>_<key>` */
    OF_REL_COLUMN,   /* to-one: the entity id of the other end goes into a column (FieldOption.fieldId) */
    OF_REL_CHILDREN, /* to-many: records of their own type that come with this one (Person.emails) */
    OF_REL_END       /* kind edge/value types: one of the ends the record itself is about */
};

struct of_relation {
    const char *key;    /* theirs: primary_campus */
    const char *target; /* external type: Campus */
    enum of_rel_kind kind;
    const char *edge_key; /* relationshipKey of the edge (theirs without underscore gives _has_): usually key; NULL: key.
                             OF_KIND_EDGE: the record's edge goes from the first END to the second, under the second's */
    const char *column;   /* OF_REL_COLUMN */
    const char *include;  /* name for include= if the relation (or its records) only comes when asked for; NULL */
    unsigned writes;      /* OF_VERB_CREATE, OF_VERB_UPDATE: with which it may be sent; 0: never */
    bool required;        /* a create without it is refused: it waits until the other end is linked */
}; /* a table ends with key NULL */

enum of_kind { OF_KIND_ENTITY = 1, OF_KIND_EDGE, OF_KIND_VALUE, OF_KIND_REFERENCE };

enum of_list_by {
    OF_LIST_CREATED = 1, /* keyset on created_at, ids break ties */
    OF_LIST_UPDATED,     /* keyset on updated_at */
    OF_LIST_OFFSET,      /* by offset, in id order */
    OF_LIST_WITH,        /* comes in the pages of `with` */
    OF_LIST_PER_PARENT   /* one list per record of `with` */
};

enum of_match {
    OF_MATCH_NONE = 0, /* never matched: edges, values, references, donations */
    OF_MATCH_PERSON,   /* e-mail with name, phone with name, name with birth date */
    OF_MATCH_CHILD,    /* same parent entity, same key column (an e-mail's address) */
    OF_MATCH_NAME      /* same normalised key column, unique in the org (campus, fund, group, …) */
};

struct of_adapter;

struct of_type {
    const struct of_adapter *adapter; /* whose it is */
    const char *name;    /* external type: PhoneNumber */
    const char *plural;  /* for people: Phone Numbers */
    enum of_kind kind;
    const char *entity;  /* canonical tag; NULL for references; for edges "edge"; for values the owner's tag (person) */
    const char *folder_type; /* folders: folderType's value, else NULL */
    const char *path;    /* /people/v2/people, one record at path/id; {parent} stands for the parent's id */
    const char *extra;   /* constant query of lists ("where[archive_status]=include"), or NULL */
    enum of_list_by list;
    const char *with;    /* OF_LIST_WITH, OF_LIST_PER_PARENT: the carrying type */
    const char *deleted_attr; /* an attribute that, when set, says that the record is deleted: such a record is none. NULL */
    bool has_updated;    /* can be filtered and ordered by updated_at */
    bool weak;           /* read with permits that nobody else wants, after everything else */
    bool owned;          /* lives and dies with its parent (contacts, options, designations) */
    const char *const *depends; /* external types that must be created before; ends with NULL. References do not block. */
    const struct of_field *fields;
    const struct of_constant *constants; /* NULL: none; folder_type is one of its own (column folderType) */
    const struct of_relation *relations; /* NULL: none */
    enum of_match match;
    const char *match_column; /* OF_MATCH_CHILD, OF_MATCH_NAME: the canonical column compared */
    /* the writing side */
    unsigned verbs;            /* OF_VERB_*; 0: read only */
    const char *create_path;   /* where a POST goes, if not path: /people/v2/people/{parent}/emails */
    const char *create_parent; /* key of the relation whose external id is {parent} in create_path (and in path); NULL: none */
    const char *cannot;        /* for people: why a verb is missing ("groups are made in Planning Center"); NULL if none is */
};

/* One change to send. */
struct of_write {
    enum of_verb verb;
    const struct of_type *type;
    const char *id;             /* update, delete: the external id */
    const char *parent;         /* external id for {parent}, where the path has one; else NULL */
    const struct of_json *body; /* what to send, as of_project_diff() (adapters/project.h) gives it; NULL: delete, or a create of
                                   what says nothing (a batch without description) */
    const struct of_json *with; /* create only: records that travel inside this one (a donation's designations): an array of
                                   {"type":"Designation","body":{…}}; NULL: none */
};

/* --- records and pages --- */

/* One external record in canonical form. body is a JSON object:
 *   canonical columns by name (explicit null where theirs is null; absent = not read), then the constants,
 *   "customFields": [elements], only non-null values, in table order (then relation values); OF_KIND_ENTITY only
 *   "_rel": {"primary_campus":"Campus/12"}   to-one relations (kinds EDGE, COLUMN, END), null if unset, absent if not read
 *   "_many": {"people":["Person/1","Person/2"]}   kind EDGES, sorted
 *   "_sub": {"Email":["1","2"]}   kind CHILDREN, only those that were asked for in this request, sorted
 * The last three are left out where they would have no members. The target in _rel is named by the table (Campus, where the
 * relationship may say PrimaryCampus). created_at and updated_at are not in body. Same content gives the same bytes. */
struct of_record {
    const struct of_type *type;
    char *id;
    bool has_created, has_updated;
    struct of_wall created_at, updated_at;
    char *body;
    size_t body_len;
    char *match_keys; /* OF_MATCH_PERSON: normalised keys (adapters/match.h), '\x1f' between them, sorted, unique:
                         "b:1990-01-31" "e:a@b.c" "n:ann lee" "p:5550100"; else NULL */
};

/* A record that cannot be used: a dead letter with place and cause, values never. */
struct of_bad_record {
    char type[64];
    char id[128];    /* "" if it has none */
    char place[128]; /* data[3], included[17] */
    char cause[200]; /* $.attributes.first_name: expected string */
};

struct of_row_key {
    char *id;
    bool has_time;
    struct of_wall time; /* created_at or updated_at, by what the list is ordered by */
};

struct of_page {
    struct of_record *records; /* first those of data, then those that came with them; no (type, id) twice: the first wins */
    size_t n_records;
    struct of_bad_record *bad;
    size_t n_bad;
    struct of_row_key *rows; /* every row of data in order, bad ones too where they have an id (else id "") */
    size_t n_rows;
    int64_t total; /* -1: not said */
    bool has_next;
    char account[64]; /* the ChMS's organization id if the page says it, else "" */
};
void of_page_done(struct of_page *page);

/* Where in a list a request reads. */
struct of_list_pos {
    enum of_list_by by;  /* CREATED, UPDATED or OFFSET */
    bool has_from;
    struct of_wall from; /* inclusive */
    int64_t offset;
    int per_page;       /* 1..100 */
    const char *parent; /* OF_LIST_PER_PARENT: the parent's external id */
    bool ids_only;      /* audit: no attributes beyond what paging needs, no includes */
    bool descending;
};

/* Which types are in scope: a bit per index in the adapter's type table. */
typedef uint64_t of_scope;

struct of_limits {
    int requests; /* 0: no limit known */
    int period_s;
};

struct of_credentials_view; /* adapters see credentials only here */

struct of_adapter {
    const char *name;          /* pco */
    const char *product;       /* Planning Center */
    const char *base_url;      /* https://api.planningcenteronline.com */
    const char *token_path;    /* /oauth/token */
    int mapping_version;
    const struct of_type *types; /* in dependency order; ends with name NULL */
    struct of_limits limits;
    int visibility_ms; /* how long a created record may stay invisible in searches */

    /* Headers of every API request besides Authorization ("X-PCO-API-Version: 2026-06-04" depends on the path): fills at most
     * max static strings, returns how many. */
    int (*headers)(const struct of_type *type, const char *out[], int max);
    /* Path and query (no scheme or host), percent-encoded. scope decides the includes. Where the path needs a parent and none
     * is given, both leave out empty. */
    void (*list_target)(const struct of_type *type, of_scope scope, const struct of_list_pos *pos, struct of_buf *out);
    /* One record with everything that comes with it. parent may be NULL. */
    void (*get_target)(const struct of_type *type, of_scope scope, const char *id, const char *parent, struct of_buf *out);
    /* Merges since a moment, by created_at; offset pages. NULL: the system knows none. */
    void (*mergers_target)(struct of_wall since, int64_t offset, struct of_buf *out);
    /* Body of an answer. list: data is an array; else one object (n_rows 1). Bad records land in page->bad; only an answer that
     * is no page at all fails (OF_E_PARSE with its place; OF_E_TOO_LARGE beyond 16 MiB). ret_page is the caller's:
     * of_page_done(); after a failure it is empty. order tells which time rows[].time is (OF_LIST_UPDATED: updated_at, else
     * created_at). parent: as in pos; also the parent of a single record read below one. */
    enum of_code (*parse)(const struct of_type *type, of_scope scope, const char *body, size_t len, bool list,
                          enum of_list_by order, const char *parent, struct of_page *ret_page, struct of_err *err);
    /* The request of one change: method (static text), path and query, body (JSON; nothing appended: none). Asks for what is
     * needed to compare the answer with what was sent. Fails: OF_E_INVALID, what is missing by name, never by value. */
    enum of_code (*write_request)(const struct of_write *w, of_scope scope, const char **ret_method, struct of_buf *target,
                                  struct of_buf *body, struct of_err *err);
    /* The word that a create sends in the place of a value that theirs does not take; NULL: the value goes as it is. */
    const char *(*word)(const struct of_type *type, const struct of_field *field, const struct of_json *value);
    /* Where to look for a record whose create was not answered: a list that holds it if it was made at or after since (their
     * clock). It may hold older and linked ones too. Nothing is appended where the path needs a parent and none is given. */
    void (*recent_target)(const struct of_type *type, of_scope scope, const char *parent, struct of_wall since, int64_t offset,
                          struct of_buf *out);
    /* Mergers: calls fn for each; returns OF_E_PARSE if the page is none. */
    enum of_code (*parse_mergers)(const char *body, size_t len,
                                  void (*fn)(void *arg, const char *kept_id, const char *removed_id, struct of_wall at), void *arg,
                                  bool *ret_has_next, struct of_err *err);
    /* What an HTTP answer means: OF_OK for 2xx, else fills err (code, class, http_status, retry_after_ms, words without
     * values). 404 gives OF_E_NOT_FOUND, and so does a refusal because a record that the request names is not there (its
     * http_status is another one then); 401 OF_E_AUTH, 402/403 OF_E_DENIED, 429 OF_E_THROTTLED, 5xx and HTML OF_E_REMOTE. */
    enum of_code (*classify)(int status, const char *content_type, const char *retry_after, const char *body, size_t len,
                             struct of_err *err);
    /* The name under which the system counts requests of these credentials: app_id, or client and account. */
    void (*budget_key)(const struct of_json *credentials, struct of_buf *out);
    /* OAuth: the form body of a refresh; parse of its answer into new credentials JSON (keeps what the answer lacks).
     * parse_token gives OF_E_AUTH for invalid_grant and the like, OF_E_REMOTE otherwise. Results are secrets. */
    void (*refresh_body)(const struct of_json *credentials, const char *refresh_token, struct of_buf *out);
    enum of_code (*parse_token)(const struct of_json *credentials, int status, const char *body, size_t len, struct of_wall now,
                                struct of_buf *ret_credentials, struct of_err *err);
    /* Authorization header value for credentials ("Basic …", "Bearer …"); secret. Fails: OF_E_INVALID where a member is
     * missing (OAuth without an access token yet: ask of_oauth_due() first, adapters/oauth.h). */
    enum of_code (*authorization)(const struct of_json *credentials, struct of_buf *out, struct of_err *err);
    /* Checks a credentials file. Fails OF_E_INVALID with the member's name, never its value. */
    enum of_code (*check_credentials)(const struct of_json *credentials, struct of_err *err);
};

/* --- registry and helpers (registry.c) --- */
const struct of_adapter *of_adapter_find(const char *name); /* NULL if unknown */
const struct of_adapter *of_adapter_at(size_t i);           /* NULL past the end */
const char *of_constant_value(const struct of_type *type, const struct of_constant *c);
const struct of_type *of_type_find(const struct of_adapter *a, const char *name);
size_t of_type_index(const struct of_adapter *a, const struct of_type *t);
of_scope of_scope_all(const struct of_adapter *a);
/* Comma-separated external type names -> scope with all they depend on; *ret_added (caller's, "A, B" or "") names what was
 * added. Fails: OF_E_INVALID naming the unknown type. */
OF_MUSTCHECK enum of_code of_scope_parse(const struct of_adapter *a, const char *names, of_scope *ret, char **ret_added,
                                         struct of_err *err);
static inline bool of_scope_has(of_scope s, size_t index)
{
    return (s >> index) & 1U;
}
/* Appends what of the types in scope is not sent, for people: "Group: create, delete (groups are made in Planning Center)", with
 * "; " between types. Designations that travel inside their donation are said to. */
void of_adapter_not_sent(const struct of_adapter *a, of_scope scope, struct of_buf *out);
/* Types that come with / per parent of t, and that depend on t: iterate over a->types and compare `with`, depends. */
bool of_type_depends(const struct of_type *t, const char *on);

#endif
