/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_WORKER_APPLY_H
#define OF_WORKER_APPLY_H

/* What is done with listed records, in batches: stage, match, create, populate. The same code serves the phases of a run, single
 * re-reads and what is owed in sync.work. Every function here runs inside the caller's transaction (of_apply_begin), on an
 * executor, and makes no HTTP. ids are external ids, text arrays. */

#include "adapters/adapter.h"
#include "worker/entities.h"
#include "worker/remote.h"
#include "worker/worker.h"

struct of_apply {
    struct of_worker *w;
    struct of_pg *db;
    struct of_conn *conn;
    int64_t run_id;   /* 0: none */
    int64_t read_seq; /* taken before the read was sent */
    int64_t mark;     /* for seen_run; 0: leave */
    const char *out_type, *out_id; /* the row of the way out whose answer the records are; NULL: they were read */
    const struct of_type *mark_type; /* whose list marks; NULL: all */
    bool passing;     /* a cursor passes these records: what is not taken now is owed a read */
    bool below;       /* lists below parents that are new or have changed are owed a read */
    const struct of_record **fresh; /* NULL, or takes the records that were not known just so; room for all */
    size_t n_fresh;
    bool own_delete;  /* of_apply_gone: they were deleted there by us; what lives here all the same stays, and is made there anew */
    bool hinted;      /* out: reads are owed that were not before */
    bool again;       /* these records may be known: what is equal is not written, missing children are hinted */
};

/* BEGIN, and the connection is still of this generation and connected (locked FOR KEY SHARE). OF_E_LEASE: it is not. */
OF_MUSTCHECK enum of_code of_apply_begin(struct of_apply *a, struct of_err *err);

/* Records of one type. Of the same id twice the later wins. */
OF_MUSTCHECK enum of_code of_apply_stage(struct of_apply *a, const struct of_type *type, const struct of_record *const *records,
                                         size_t n, struct of_err *err);
/* The same for records of several types, in the adapter's order. */
OF_MUSTCHECK enum of_code of_apply_stage_all(struct of_apply *a, const struct of_record *const *records, size_t n,
                                             struct of_err *err);
const char *of_kind_name(enum of_kind k); /* as in external_link.kind */
/* Bad records: dead letters (rows of sync.work; the topic's archive is the caller's). */
OF_MUSTCHECK enum of_code of_apply_dead(struct of_apply *a, const struct of_bad_record *bad, size_t n, struct of_err *err);
/* Links to entities that were here before. *ret_any false: there is nothing here to match with, skip the rest. */
OF_MUSTCHECK enum of_code of_apply_can_match(struct of_apply *a, const struct of_type *type, bool *ret_any, struct of_err *err);
OF_MUSTCHECK enum of_code of_apply_match(struct of_apply *a, const struct of_type *type, const struct of_pgarr *ids,
                                         struct of_err *err);
/* Unmatched records become entities, edges, values, linked references. */
OF_MUSTCHECK enum of_code of_apply_create(struct of_apply *a, const struct of_type *type, const struct of_pgarr *ids, size_t n,
                                          struct of_err *err);
/* Linked records with something staged take it. */
OF_MUSTCHECK enum of_code of_apply_populate(struct of_apply *a, const struct of_type *type, const struct of_pgarr *ids,
                                            struct of_err *err);
/* Edges (and values) of linked records as base.seen says; *ret_done is the number of records that wait for nothing any more.
 * What somebody here deleted stays so, unless theirs names it anew: fresh holds such ("12 Campus/3"). */
OF_MUSTCHECK enum of_code of_apply_edges(struct of_apply *a, const struct of_type *type, const struct of_pgarr *ids,
                                         const struct of_pgarr *fresh, int64_t *ret_done, struct of_err *err);
/* Records that are gone for good (404 and no merger): entities, edges and what they own are soft-deleted, links stay as
 * tombstones. */
OF_MUSTCHECK enum of_code of_apply_gone(struct of_apply *a, const struct of_type *type, const struct of_pgarr *ids,
                                        struct of_err *err);
/* Entities that were deleted with their record and are here again: edges that other records tell of are tied again. */
OF_MUSTCHECK enum of_code of_apply_returned(struct of_apply *a, const struct of_pgarr *entity_ids, struct of_err *err);
/* A whole list was read: what it did not show is under suspicion, and owed a look. A large share, or all of it, is more likely
 * their fault than deletions: then a person is asked instead. ids: what it showed; NULL: what bears the mark. */
OF_MUSTCHECK enum of_code of_apply_missing(struct of_apply *a, const struct of_type *type, const struct of_pgarr *ids, int64_t mark,
                                           struct of_err *err);
/* May one more record of the type be deleted now? *ret_may false: too many have gone missing, and a person has been asked. */
OF_MUSTCHECK enum of_code of_apply_may_go(struct of_apply *a, const struct of_type *type, bool *ret_may, struct of_err *err);
/* A merge of people there: the removed record's link becomes merged_into, its edges move to the kept one's entity, its entity is
 * soft-deleted with an edge `merged`; children and keeper are hinted. *ret_early: the keeper is not linked yet but will be, so nothing was
 * done but to hint it (what was added here to the removed one could not move); NULL: done all the same. */
OF_MUSTCHECK enum of_code of_apply_merged(struct of_apply *a, const struct of_type *type, const char *kept, const char *removed,
                                          bool *ret_early, struct of_err *err);
/* The same as a list tells it: an early one is owed another look at the removed record. */
OF_MUSTCHECK enum of_code of_apply_merger(struct of_apply *a, const struct of_type *type, const char *kept, const char *removed,
                                          struct of_err *err);
OF_MUSTCHECK enum of_code of_apply_hint(struct of_apply *a, const char *type, const char *const *ids, size_t n,
                                        const char *reason, int priority, struct of_err *err);
/* OpenFaith's records of these entity ids differ from theirs by our own decision (a conflict kept ours, a first link in mode
 * openfaith): hints sync.work, direction out, for this connection. out.c */
OF_MUSTCHECK enum of_code of_apply_hint_out(struct of_apply *a, const struct of_type *type, const struct of_pgarr *entity_ids,
                                            const char *reason, struct of_err *err);
/* New records there that may be what a create of ours made, whose answer is not known: they are owed a later look. *ret_rest gets
 * the others, NULL if there is nothing of that kind: go on with all of them. The caller's. out.c */
OF_MUSTCHECK enum of_code of_apply_hold(struct of_apply *a, const struct of_type *type, const struct of_pgarr *ids,
                                        struct of_pgarr **ret_rest, struct of_err *err);
/* Everything that can be done at once for records just staged: match, create, populate, in dependency order of their types, and
 * what waited for them is woken. The one way of polled records, single re-reads and (later) webhooks. */
OF_MUSTCHECK enum of_code of_apply_records(struct of_apply *a, const struct of_record *const *records, size_t n,
                                           struct of_err *err);
/* A parsed answer with all that it holds: staged and applied, its bad records become dead letters. */
OF_MUSTCHECK enum of_code of_apply_page(struct of_apply *a, const struct of_page *page, struct of_err *err);
/* The transaction is about to write these entities, and edges of theirs, for the connection: no change that anybody has to tell its
 * system. Before they are written. */
OF_MUSTCHECK enum of_code of_apply_own(struct of_apply *a, const struct of_pgarr *entity_ids, struct of_err *err);
/* What waited for these records (Type/id) is ready. */
OF_MUSTCHECK enum of_code of_apply_wake(struct of_apply *a, const struct of_type *type, char *const *ids, size_t n,
                                        struct of_err *err);

/* Parts of their own, same rules: values.c, match.c */
OF_MUSTCHECK enum of_code of_values_apply(struct of_apply *a, const struct of_type *type, const struct of_pgarr *ids,
                                          struct of_err *err);
OF_MUSTCHECK enum of_code of_edge_records_apply(struct of_apply *a, const struct of_type *type, const struct of_pgarr *ids,
                                                struct of_err *err);

#endif
