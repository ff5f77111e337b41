/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_WORK_INT_H
#define OF_WORK_INT_H

/* One job per connection works off what is owed for single records: which connections have one now. Any thread, no blocking. */

#include <pthread.h>

#include "worker/apply.h"
#include "worker/phase.h"

/* False: there is one already, and it is told to look again. */
bool of_work_enter(const char *key);
/* False if it was hinted meanwhile: go round once more. force: leave all the same. */
bool of_work_leave(const char *key, bool force);

struct of_work_job;

struct of_work_item {
    struct of_work_job *wj;
    char type_name[64], id[128], reason[32], waits_for[160], parent[72], link_state[16];
    const struct of_type *type;   /* of the record */
    const struct of_type *target; /* what is read: the record, or what it waits for */
    char target_id[128];
    int64_t fence;
    int attempts, priority;
    bool reads_again; /* the row stays: the record is to be read once more */
    bool of_this_run, second_look_due; /* brought by the running run; not found once, long enough ago */
    enum { ITEM_ASK, ITEM_ASKED, ITEM_ANSWERED, ITEM_ASK_MERGERS, ITEM_MERGERS, ITEM_OVER } state;
    struct of_err err;
    char *body;
    size_t body_len;
    int64_t offset; /* list below a parent, mergers */
    struct of_wall mergers_since;
    struct of_pgarr *shown; /* ids that the list below a parent has shown so far; NULL: none */
};

struct of_work_job {
    struct of_job job;
    struct of_worker *w;
    char *org, *adapter;
    struct of_conn *conn;
    pthread_mutex_t lock; /* guards item states and outstanding */
    struct of_work_item *items;
    int n;
    int outstanding;
    int64_t run; /* the running run, or 0 */
    int64_t read_seq;
    int failures;
    bool gone; /* the org's lane went to another worker */
};

/* --- work_answer.c --- */
struct of_apply of_work_apply(struct of_work_job *wj, struct of_pg *db);
void of_work_args(const struct of_work_job *wj, const char *type, const char *id, struct of_pgargs *args);
/* The row has been worked off (or hinted again meanwhile: then it is ready again). In the caller's transaction. */
enum of_code of_work_row_done(struct of_work_job *wj, struct of_pg *db, const struct of_work_item *it, struct of_err *err);
enum of_code of_work_row_later(struct of_work_job *wj, struct of_pg *db, const struct of_work_item *it, const char *state, int64_t ms,
                               int attempts, const struct of_err *why, struct of_err *err);
/* Edges and values that waited: tied now, or is there nothing to tie them to? */
enum of_code of_work_try_edges(struct of_work_job *wj, struct of_apply *a, struct of_work_item *it, bool *ret_done,
                               struct of_err *err);
/* An item's answer in one transaction; what cannot be written becomes a dead letter. */
enum of_code of_work_settle(struct of_work_job *wj, struct of_pg *db, struct of_work_item *it, struct of_err *err);

#endif
