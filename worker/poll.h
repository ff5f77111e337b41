/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_WORKER_POLL_H
#define OF_WORKER_POLL_H

/* A poll of one connection: every list that can tell what changed is read from where the last poll stood, lists that cannot are
 * read whole and compared; pages are applied in dependency order, and in the end all cursors move in one statement. poll.c is the
 * job, poll_list.c the lists. Inside the worker only. */

#include <pthread.h>

#include "worker/apply.h"
#include "worker/intake.h"
#include "worker/listing.h"

enum { OF_POLL_PAGES = 32 }; /* pages of which a hash is kept: what reads just as last time costs no statement */

struct of_poll;

struct of_poll_merger {
    char kept[72], removed[72];
};

struct of_poll_page {
    struct of_poll_page *next;
    struct of_page page;
    struct of_poll_merger *mergers;
    size_t n_mergers;
    struct of_err err;
    struct of_wall date;
    uint64_t hash;
    struct of_range safe; /* where the cursor may stand once this page is applied */
    int64_t safe_us;      /* mergers: the same */
};

struct of_poll_list {
    struct of_poll *p;
    const struct of_type *type;
    bool mergers;           /* the list of people merged, not of records */
    bool flying, ended;     /* a request is out; nothing more to ask for */
    bool done, differs;     /* all applied; some page was not as last time */
    struct of_listing listing;
    struct of_range safe, newest; /* the cursor so far; as it will be when all answered pages are applied. Under the lock */
    bool refused;           /* mergers: status says that they cannot be read */
    int64_t since_us, offset, safe_us; /* mergers */
    int parse_failures, n_pages;       /* n_pages: taken from the queue */
    uint64_t last_time[OF_POLL_PAGES], now[OF_POLL_PAGES]; /* hashes */
    int n_last_time, n_now;
    char *was;              /* the type's cursor as it is stored, NULL: none */
    struct of_pgarr *ids;   /* lists read whole: what they show */
    struct of_poll_page *head, **tail;
};

struct of_poll_moment {
    char kind[96];
    int64_t wanted, rev;
};

struct of_poll {
    struct of_job job;
    struct of_worker *w;
    struct of_tracked m;
    bool m_ended;
    char *org, *adapter;
    struct of_conn *conn;
    enum { POLL_LOAD, POLL_RUN, POLL_CLOSING } stage;
    struct of_boot slice_end;
    struct of_poll_moment moments[64];
    int n_moments, attempts;
    int64_t read_seq;
    char account[64];
    bool wrote;
    of_scope asked;      /* types that a person asked for by name: their own time moves */
    struct of_poll_page *held; /* taken, not yet in the database */
    struct of_err err;
    struct of_poll_list *lists;
    int n_lists, at; /* at: whose pages are applied now */
    pthread_mutex_t lock; /* of what answers touch: lists' listing, queue, flying; outstanding, date, busy_ms, closed */
    int outstanding;
    bool closed;
    struct of_wall date; /* of the first answer */
    int64_t limit_us;    /* cursors never pass it */
    int64_t busy_ms;
    int failures;        /* of our own servers, in a row */
    bool is_finished;
    int64_t due_ms;      /* not finished: when it is looked at again */
};

/* --- poll_list.c --- */
/* A list of the type, or of mergers; cursor is status.poll_cursor (NULL: none yet), polled the last successful poll. */
void of_poll_list_init(struct of_poll_list *l, struct of_poll *p, const struct of_type *type, bool mergers, int64_t polled_us,
                       const char *cursor, struct of_err *err);
void of_poll_list_done(struct of_poll_list *l);
/* Asks for what may be asked now; lock held. */
void of_poll_ask(struct of_poll *p);
/* The next answered page of a list, the caller's; NULL: not there yet. */
struct of_poll_page *of_poll_take(struct of_poll_list *l);
void of_poll_page_free(struct of_poll_page *page);
/* One page into the database, unless it is just as last time. */
OF_MUSTCHECK enum of_code of_poll_apply(struct of_poll_list *l, struct of_poll_page *page, struct of_err *err);
/* The list is read to its end: what a whole list did not show is under suspicion. */
OF_MUSTCHECK enum of_code of_poll_list_end(struct of_poll_list *l, struct of_err *err);
/* The cursor as members of the object that is stored for its type. */
void of_poll_cursor(const struct of_poll_list *l, struct of_buf *b);

#endif
