/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/journal.h"

#include <string.h>

#include "worker_sql.h"

enum of_code of_journal_write(struct of_apply *a, const char *tag, const char *type, const struct of_journal *j, struct of_err *err)
{
    if (of_pgarr_len(j->eids) == 0) {
        return OF_OK;
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_text(&args, tag);
    of_pg_arg_text(&args, type);
    of_pg_arg_int8(&args, a->run_id);
    of_pg_arg_array(&args, j->eids);
    of_pg_arg_array(&args, j->exts);
    of_pg_arg_array(&args, j->fields);
    of_pg_arg_array(&args, j->values);
    of_pg_arg_array(&args, j->rules);
    return of_pg_run(a->db, &of_sql_journal, &args, NULL, err);
}

void of_journal_pair(struct of_buf *b, const struct of_json *stood, const struct of_json *stands)
{
    of_buf_char(b, '[');
    of_json_write(b, stood);
    of_buf_char(b, ',');
    of_json_write(b, stands);
    of_buf_char(b, ']');
}

enum of_code of_asked_write(struct of_apply *a, const char *tag, const char *type, const struct of_asked *q, struct of_err *err)
{
    if (of_pgarr_len(q->ids) == 0) {
        return OF_OK;
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_text(&args, type);
    of_pg_arg_text(&args, tag);
    of_pg_arg_array(&args, q->ids);
    of_pg_arg_array(&args, q->eids);
    of_pg_arg_array(&args, q->fields);
    of_pg_arg_array(&args, q->details);
    return of_pg_run(a->db, &of_sql_review_conflict, &args, NULL, err);
}

static bool asks(const struct of_conn *c)
{
    bool any = strcmp(c->strategy, "ask") == 0;
    for (const struct of_json *n = of_json_first(c->field_strategies); n && !any; n = of_json_next(n)) {
        const char *strategy = of_json_text(n);
        any = strategy && strcmp(strategy, "ask") == 0;
    }
    return any;
}

enum of_code of_asked_open(struct of_apply *a, const struct of_type *t, const struct of_pgarr *ids, struct of_pgres **ret,
                           struct of_err *err)
{
    *ret = NULL;
    if (!asks(a->conn)) {
        return OF_OK;
    }
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, a->conn->org);
    of_pg_arg_text(&args, a->conn->adapter_name);
    of_pg_arg_text(&args, t->name);
    of_pg_arg_array(&args, ids);
    return of_pg_run(a->db, &of_sql_asked_open, &args, ret, err);
}

bool of_asked_is_open(const struct of_pgres *open, const char *eid, const char *field)
{
    for (int row = 0; open && row < of_pgres_rows(open); row++) {
        if (strcmp(of_pgres_text(open, row, 0), eid) == 0 && strcmp(of_pgres_text(open, row, 1), field) == 0) {
            return true;
        }
    }
    return false;
}
