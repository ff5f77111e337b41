/* SPDX-License-Identifier: Apache-2.0 */
/* The records of one church: typed values, references both ways, sorted indexes, a cached text
 * per record. Everything here is protected by org->lock, which the caller holds.
 * Records live in the org's arena until the org is thrown away; a removed one is only unlinked. */
#ifndef PCO_SIM_STORE_H
#define PCO_SIM_STORE_H

#include "base.h"
#include "schema.h"

#include <pthread.h>

union sim_val {
    int64_t i; /* SIM_NULL_INT is null; BOOL 0/1; TIME seconds since 1970 */
    double f;  /* NaN is null */
    const char *s;
};

struct sim_vec {
    struct sim_rec **v;
    uint32_t n;
    uint32_t cap;
};

struct sim_rec {
    int64_t id;
    uint8_t type;
    bool dead;
    uint32_t mark;       /* page on which it was last included */
    const char *text_id; /* for the one id that is no number, else NULL */
    char *json;          /* cached "attributes":{...}, NULL when stale */
    uint32_t json_len;
    uint64_t made_by; /* hash of the request that made it, 0: not made through the API */
    int64_t shown_us; /* until then no list shows it, 0: at once */
    int64_t due_us;   /* when a batch's commit is done */
    union sim_val *vals;
    struct sim_rec **refs;
    struct sim_vec *backs;
};

enum { SIM_IX_CREATED = 0, SIM_IX_UPDATED, SIM_IX_COUNT };

struct sim_store {
    struct sim_vec by_id;
    struct sim_vec by_time[SIM_IX_COUNT]; /* (time, id) ascending */
    int64_t next_id;
};

struct sim_cached_list {
    char *key;
    uint64_t version;
    struct sim_vec list;
};

struct sim_gen_config {
    uint64_t seed;
    int64_t people;
    double ugly;
    double contacts; /* mean contacts per person */
    const char *mark;
};

struct sim_org {
    int number; /* 1... */
    pthread_mutex_t lock;
    bool ready; /* data generated */
    struct sim_gen_config cfg;
    struct sim_arena arena;
    struct sim_store stores[SIM_T_COUNT];
    uint64_t version; /* moves with every change of data */
    uint32_t mark;    /* last page mark given out */
    struct sim_rng edit_rng;
    struct sim_cached_list cached[4];
    unsigned cached_next;
    struct sim_buf last_page[SIM_T_COUNT]; /* kept only while a repeat_page fault is set */
    int64_t list_requests;
    int64_t edit_every; /* edits while being listed */
    int64_t edit_left;
    char *edit_op;
    int64_t show_after_ms; /* how long what is created through the API is in no list */
    bool show_all_late;    /* of every type, not only people */
    struct sim_vec hidden; /* not in lists yet */
    struct sim_vec made;   /* created through the API, in order */
    struct sim_vec commits; /* batches being committed */
    int64_t commit_ms;
    unsigned respell; /* SIM_RESPELL_... */
};

/* A new record with all values null; id 0 takes the next one. Not yet in any index. */
struct sim_rec *sim_rec_new(struct sim_org *org, enum sim_type type, int64_t id);
/* While generating: appended in id order, indexes are built at the end. */
void sim_rec_append(struct sim_org *org, struct sim_rec *rec);
void sim_store_index(struct sim_org *org);
/* Afterwards. */
void sim_rec_insert(struct sim_org *org, struct sim_rec *rec);
void sim_rec_remove(struct sim_org *org, struct sim_rec *rec); /* not its children */
void sim_rec_set_ref(struct sim_org *org, struct sim_rec *rec, int slot, struct sim_rec *target);
/* Says that values were changed (drops the cached text). */
void sim_rec_touched(struct sim_org *org, struct sim_rec *rec);
/* Sets updated_at (or another indexed time) and moves the record in the index. */
void sim_rec_set_time(struct sim_org *org, struct sim_rec *rec, int attr, int64_t epoch_s);
struct sim_rec *sim_rec_find(struct sim_org *org, enum sim_type type, int64_t id);
struct sim_rec *sim_rec_find_text(struct sim_org *org, enum sim_type type, const char *id);
/* First position in the index of a time >= epoch_s. */
uint32_t sim_index_lower(const struct sim_store *st, enum sim_type type, int index,
                         int64_t epoch_s);
void sim_org_clear(struct sim_org *org);

static inline bool sim_val_is_null(enum sim_kind kind, union sim_val v)
{
    switch (kind) {
    case SIM_STR:
    case SIM_DATE:
    case SIM_JSON:
        return v.s == NULL;
    case SIM_FLOAT:
        return v.f != v.f;
    case SIM_INT:
    case SIM_BOOL:
    case SIM_TIME:
        return v.i == SIM_NULL_INT;
    }
    return true;
}

void sim_vec_push(struct sim_vec *vec, struct sim_rec *rec);
void sim_vec_insert(struct sim_vec *vec, uint32_t at, struct sim_rec *rec);
void sim_vec_drop(struct sim_vec *vec, uint32_t at);

#endif
