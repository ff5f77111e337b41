/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_WORKER_LISTING_H
#define OF_WORKER_LISTING_H

/* Walking a list that people edit meanwhile, without skipping or repeating a living record (design.md section 7). Pure logic:
 * positions in, pages in, next positions out; no I/O. A listing is a set of ranges walked in parallel.
 *
 * By time (created_at, updated_at): from a second on, ties by offset within that second; each request reads the last row of the
 * page before again, and if it is another row, that second is walked anew. By offset in id order: the same overlap; if it
 * fails, a page back, until a row at or before the last one is met (only deletions move rows, and new ids come last). */

#include "adapters/adapter.h"

#define OF_LISTING_MAX 64 /* ranges, or parents of one wave */
#define OF_LISTING_PAGE 100

struct of_range {
    bool has_from, has_to, probe, done, back;
    struct of_wall from; /* the second we are in */
    struct of_wall to;   /* by time: rows up to and including this second are ours */
    int64_t off;         /* rows taken of that second, or of the list */
    char last[72];       /* id of the last row taken; "" : no overlap to check */
    int per_page;
    int stuck;           /* turns without progress */
    char parent[72];     /* OF_LIST_PER_PARENT */
};

enum of_advance {
    OF_ADVANCE_OK = 0,
    OF_ADVANCE_REWALK, /* the overlap did not hold; the range was set back */
    OF_ADVANCE_STUCK   /* no progress for several turns: treat like a failed request */
};

struct of_listing {
    enum of_list_by by;
    bool split;   /* has been split, or shall not be */
    int n;
    struct of_range r[OF_LISTING_MAX];
    int64_t total;      /* as first told; -1 unknown */
    int64_t taken;      /* rows taken, overlaps not counted twice */
};

void of_listing_init(struct of_listing *l, enum of_list_by by, bool has_from, struct of_wall from);
/* What to ask next for range i; pos->parent is borrowed from the range. */
void of_listing_pos(const struct of_listing *l, int i, struct of_list_pos *pos);
/* Takes an answered page of range i. After the first page of an unsplit listing by time it may add probes (more ranges): at most
 * `ways` in all, for lists of at least 400 rows. */
enum of_advance of_listing_advance(struct of_listing *l, int i, const struct of_page *page, int ways);
/* A page that cannot be read at all, however often: smaller pages find the bad row. Returns true if the range now stands
 * before exactly one row that is unreadable and has stepped over it (place tells which: for the dead letter). */
bool of_listing_unreadable(struct of_listing *l, int i, char *place, size_t place_size);
bool of_listing_is_done(const struct of_listing *l);
/* As a JSON object's members ("by":…,"r":[…]) for the phase's cursor, and back. */
void of_listing_write(const struct of_listing *l, struct of_buf *b);
bool of_listing_read(struct of_listing *l, const struct of_json *cursor);

#endif
