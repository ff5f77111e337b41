/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_WORKER_PUSH_INT_H
#define OF_WORKER_PUSH_INT_H

/* Inside push*.c. A row of sync.work (direction out) is one item: at most one record there, one request under way, one intent. */

#include <pthread.h>

#include "adapters/project.h"
#include "common/json/json.h"
#include "worker/apply.h"
#include "worker/push.h"

enum { OF_PUSH_SLOTS = 32, OF_PUSH_BODY_MAX = 8 * 1024 * 1024, OF_PUSH_ID_MAX = 128 };
enum { OF_PUSH_SLACK_MS = 120000 }; /* between their clock and ours, when what was created lately is looked for */

struct of_push_job;

/* What is to be sent, or has been. */
struct of_push_plan {
    const struct of_type *type;
    enum of_verb verb;
    char ext[OF_PUSH_ID_MAX];    /* update, delete: the external id */
    char parent[OF_PUSH_ID_MAX]; /* the external id in the path, or "" */
    char *link_tag, *link_id;    /* entity_type and entity_id of the link: of a value the owner's, of an edge its key */
    int64_t link;                /* of the link, 0: none yet */
    struct of_json *seen, *agreed, *sent;
    struct of_json *with;        /* records that travel inside a create, */
    struct of_json *with_list;   /* and their entities' ids in the same order */
    char *fields;                /* names of what is sent, '\n' after each */
    char stuck[OF_PUSH_ID_MAX * 2]; /* out:tag/id of a record that it goes without, since that one is parked or dead; or "" */
    bool moved;                  /* a read changed what is known of it after it was planned */
    struct of_wall changed_at;   /* when ours was changed; us 0: not known */
};

/* What is asked: the change itself; what was created lately; the new record whole; what theirs says, before it is changed. */
enum of_push_ask { PUSH_WRITE = 0, PUSH_RECENT, PUSH_FOLLOW, PUSH_LOOK };

struct of_push_item {
    struct of_push_job *pj;
    enum { PUSH_FREE = 0, PUSH_CLAIMED, PUSH_ASKED, PUSH_ANSWERED } state;
    enum of_push_ask asks;
    char record_type[64];
    char *record_id;
    char reason[32];
    int64_t fence;
    int attempts, priority;
    struct of_json *intent; /* of an earlier try whose end is not known; NULL: none */
    struct of_json *sending; /* of an earlier try of an update whose end is not known; NULL: none */
    int64_t hidden_ms;      /* so long its record may still be invisible */
    int64_t owed_ms;        /* so long it has been owed */
    bool has_looked;        /* theirs has been read since it was claimed */
    int64_t read_seq;       /* PUSH_LOOK: taken before it was sent */
    struct of_boot send_until;
    struct of_push_plan plan;
    int64_t offset;         /* PUSH_RECENT: page */
    int found;              /* records that may be it */
    char *alike;            /* their ids, '\n' after each */
    char *found_body;       /* the first of them, its page */
    size_t found_len;
    char found_id[OF_PUSH_ID_MAX];
    struct of_err err;
    bool unclear;
    char *body;
    size_t body_len;
};

struct of_push_job {
    struct of_job job;
    struct of_worker *w;
    char *org, *adapter;
    struct of_conn *conn;
    pthread_mutex_t lock; /* guards item states and outstanding */
    struct of_push_item items[OF_PUSH_SLOTS];
    int outstanding;
    bool more;        /* the last claim was full, or what was made may be waited for */
    bool due;         /* a row is, as far as is known: asked for again when nothing is under way any more */
    bool gone;        /* the org's lane went to another worker, or nothing may be sent now */
    int unseen;       /* looks in a row that found only rows whose transaction is not visible yet */
    int failures;     /* of ours, in a row */
    int their_failures; /* alike, in a row: breaker */
};

enum of_push_next {
    PUSH_NEXT_OVER, /* its row has been dealt with */
    PUSH_NEXT_SEND, /* send plan */
    PUSH_NEXT_FIND  /* an earlier try may have made it: look */
};

/* --- push.c --- */
struct of_apply of_push_apply(struct of_push_job *pj, struct of_pg *db);
/* In the caller's transaction or alone. done: OF_E_LEASE if the row is somebody else's. */
enum of_code of_push_done(struct of_push_item *it, struct of_pg *db, struct of_err *err);
struct of_push_later {
    const char *state;     /* ready, waiting, parked, dead */
    int64_t ms;
    int attempts;
    const struct of_err *why;
    const char *waits_for; /* NULL: nothing */
    bool keep_intent;
};
enum of_code of_push_later(struct of_push_item *it, struct of_pg *db, const struct of_push_later *l, struct of_err *err);
/* Whoever links the record of ours that `ref` names, or decides about it, and whoever decides to wait for that, take turns: until the
 * caller's transaction ends. */
enum of_code of_push_lock(struct of_push_item *it, struct of_pg *db, const char *ref, struct of_err *err);
/* Waits until `ref` (out:person/person_01…) is linked; parked where that one is stuck itself: nobody knows when, so it is not owed. */
enum of_code of_push_wait(struct of_push_item *it, struct of_pg *db, const char *ref, bool is_stuck, struct of_err *err);
/* What it needs is not there and not on its way. It may have been written in two transactions, or by two messages that are worked off
 * beside each other: looked at again a few times, then the row is in `end` (dead), or over (NULL). */
enum of_code of_push_lacks(struct of_push_item *it, struct of_pg *db, const char *end, const struct of_err *why, struct of_err *err);
void of_push_key_args(const struct of_push_item *it, struct of_pgargs *args);
void of_push_plan_done(struct of_push_plan *p);

/* --- push_plan.c: entities --- */
enum of_code of_push_plan(struct of_push_item *it, struct of_pg *db, enum of_push_next *ret, struct of_err *err);
/* A column as JSON; NULL where it is null. */
enum of_code of_push_json(const struct of_pgres *res, int row, int col, struct of_json **ret, struct of_err *err);
/* The plan of the earlier try that `intent` tells of. */
enum of_code of_push_resume(struct of_push_item *it, struct of_pg *db, enum of_push_next *ret, struct of_err *err);
/* Compares ours with what was agreed on and completes the plan; *ret is OVER (and the row done) if nothing differs. */
enum of_code of_push_compare(struct of_push_item *it, struct of_pg *db, const struct of_project_in *in, enum of_push_next *ret,
                             struct of_err *err);
/* May something unlinked be created there? If not the row is done, or waits. */
enum of_code of_push_may_create(struct of_push_item *it, struct of_pg *db, bool out_open, bool *ret, struct of_err *err);
/* A record of ours is gone: deleted there too, or a person is asked, or nothing. */
enum of_code of_push_plan_delete(struct of_push_item *it, struct of_pg *db, const char *deleted_by, enum of_push_next *ret,
                                 struct of_err *err);

/* --- push_rel.c: relations of an entity --- */
struct of_push_rels {
    struct of_json *rel, *many;
    char wait[OF_PUSH_ID_MAX * 2];  /* out:tag/id of a record that is on its way, or "" */
    char stuck[OF_PUSH_ID_MAX * 2]; /* of one that is parked or dead */
    char lacks[64];                 /* a required relation that has no other end here */
};
/* skip: a relation to this type is not looked at (of a record that travels inside another); NULL: none. */
enum of_code of_push_rels(struct of_push_item *it, struct of_pg *db, const struct of_type *t, const char *entity_id,
                          const struct of_json *row, const char *skip, struct of_push_rels *ret, struct of_err *err);
void of_push_rels_done(struct of_push_rels *r);

/* --- push_with.c: records that travel inside a create --- */
/* Fills plan.with, and wait, stuck and lacks of rels with what one of them needs. */
enum of_code of_push_with(struct of_push_item *it, struct of_pg *db, struct of_push_rels *rels, struct of_err *err);
/* Links them to what the page says came of them. *ret_all: each has found one. */
enum of_code of_push_link_with(struct of_push_item *it, struct of_apply *a, const struct of_page *page, bool *ret_all,
                               struct of_err *err);

/* --- push_part.c: edges and values --- */
enum of_code of_push_plan_edge(struct of_push_item *it, struct of_pg *db, const struct of_type *t, enum of_push_next *ret,
                               struct of_err *err);
enum of_code of_push_plan_value(struct of_push_item *it, struct of_pg *db, const struct of_type *t, enum of_push_next *ret,
                                struct of_err *err);
/* Values of an entity that differ from theirs are rows of their own. */
enum of_code of_push_hint_values(struct of_apply *a, const char *tag, const struct of_pgarr *entity_ids, struct of_err *err);

/* --- push_child.c: records that live with a parent; in the caller's transaction --- */
/* A new one is known as its parent's child. Before it is linked: reads lock parents first, too. */
enum of_code of_push_child(struct of_push_item *it, struct of_apply *a, const char *ext, struct of_err *err);
/* Where the one is primary now, whichever was is read again. */
enum of_code of_push_siblings(struct of_push_item *it, struct of_apply *a, const char *ext, struct of_err *err);

/* --- push_store.c --- */
/* Before a create: what is sent, durable; OF_E_CONFLICT if it was linked meanwhile. */
enum of_code of_push_intend(struct of_push_item *it, struct of_pg *db, struct of_err *err);
/* A record was made there of an entity (or edge, or value) of ours: link, base, what waited for it. In the caller's transaction, as
 * the next. */
enum of_code of_push_link(struct of_push_item *it, struct of_apply *a, const struct of_record *r, const char *tag, const char *id,
                          const struct of_json *sent, struct of_err *err);
/* What waited for a record of ours looks again. Alone or in the caller's transaction. */
enum of_code of_push_wake(struct of_push_item *it, struct of_pg *db, const char *tag, const char *id, struct of_err *err);
/* The same with all that belongs to it. *ret_follow: the transaction is to be undone and the record read whole. */
enum of_code of_push_created(struct of_push_item *it, struct of_apply *a, const struct of_page *page, const struct of_record *r,
                             bool *ret_follow, struct of_err *err);
/* Must theirs be read before this update is sent? A PATCH cannot say "if it is still so": what somebody changed there meanwhile would
 * be overwritten unseen. Where the strategy leaves the last word to them or to a person, always; else where the change has waited. */
bool of_push_must_look(const struct of_push_item *it);
enum of_code of_push_look_begin(struct of_push_item *it, struct of_pg *db, struct of_err *err);
/* One answer, in one transaction. *ret_again: another question is to be asked for this item; after a PUSH_LOOK: plan it anew. */
enum of_code of_push_settle(struct of_push_item *it, struct of_pg *db, bool *ret_again, struct of_err *err);
enum of_code of_push_failed(struct of_push_item *it, struct of_pg *db, const struct of_err *why, struct of_err *err);

/* --- push_find.c: writes whose answer was lost --- */
/* What an update sent is kept with the base: should theirs say it by now, that is no change of theirs. Alone or in the caller's
 * transaction. */
enum of_code of_push_unclear(const struct of_push_item *it, struct of_pg *db, struct of_err *err);
/* And no longer, once an answer has been populated. */
enum of_code of_push_sent_over(const struct of_push_item *it, struct of_pg *db, struct of_err *err);
/* The same for what an earlier try, whose worker is gone, was sending. */
enum of_code of_push_was_sending(struct of_push_item *it, struct of_pg *db, struct of_err *err);
/* Before an update leaves. OF_E_LEASE: the row is somebody else's. */
enum of_code of_push_mark(struct of_push_item *it, struct of_pg *db, struct of_err *err);
enum of_code of_push_found(struct of_push_item *it, struct of_apply *a, bool *ret_again, struct of_err *err);
/* Any of these records there may be the one that was made of it: a person says which. Until then none of them becomes anything here. */
enum of_code of_push_ask_alike(struct of_push_item *it, struct of_apply *a, const struct of_pgarr *ids, struct of_err *err);

#endif
