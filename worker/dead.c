/* SPDX-License-Identifier: Apache-2.0 */
/* Dead letters: the archive in <topic>.dlq, and the dead row of a message that cannot be understood. */
#include "worker/intake_int.h"
#include "worker/remote.h"

#include <stdlib.h>
#include <string.h>

#include "worker_sql.h"

#define DB_WAIT_MS 10000
#define RETRY_MS 1000
#define KEY_MAX 256

struct texts {
    char partition[16], offset[24], at[OF_TIME_TEXT];
};

static void number(char *buf, size_t size, int64_t v)
{
    struct of_buf b = OF_BUF_INIT(32);
    of_buf_i64(&b, v);
    (void)of_strcopy(buf, size, of_buf_text(&b));
    of_buf_done(&b);
}

void of_dead_archive(struct of_worker *w, const struct of_kafka_msg *msg, const struct of_err *why, of_kafka_delivered_fn *done,
                     void *arg)
{
    struct texts t;
    struct of_err err = OF_ERR_INIT;
    number(t.partition, sizeof(t.partition), msg->partition);
    number(t.offset, sizeof(t.offset), msg->offset);
    (void)of_time_format((struct of_wall){.us = msg->timestamp_ms * 1000}, t.at);
    const struct of_kafka_header headers[] = {
        {"of-topic", msg->topic},
        {"of-partition", t.partition},
        {"of-offset", t.offset},
        {"of-since", t.at},
        {"of-attempts", "1"},
        {"of-error-code", of_code_name(why->code)},
        {"of-error-class", of_class_name(why->cls)},
        {"of-error", why->msg},
        {"of-worker", w->name},
        {NULL, NULL},
    };
    OF_CLEANUP(of_freep) char *topic = of_asprintf("%s%s", msg->topic, OF_TOPIC_DLQ_SUFFIX);
    OF_CLEANUP(of_freep) char *key = of_strndup(msg->key ? msg->key : "", OF_MIN(msg->key_len, (size_t)KEY_MAX));
    if (of_kafka_produce(w->producer, topic, key, msg->payload, msg->len, headers, done, arg, &err) != OF_OK) {
        done(arg, &err);
    }
}

/* --- a bad record: its row in sync.work is written by its transaction, this is the copy to look at --- */

static void on_archived(void *arg, const struct of_err *err)
{
    (void)arg;
    if (err->code != OF_OK) {
        of_log_err(OF_LOG_WARN, "dead.not_archived", "a dead letter stands in sync.work only", err, NULL);
    }
}

void of_dead_record(struct of_worker *w, const struct of_conn *conn, const struct of_bad_record *bad)
{
    struct of_err err = OF_ERR_INIT;
    struct of_buf b = OF_BUF_INIT(OF_TASK_MAX_BYTES);
    of_buf_str(&b, "{\"org\":");
    of_buf_json_str(&b, conn->org);
    of_buf_str(&b, ",\"adapter\":");
    of_buf_json_str(&b, conn->adapter_name);
    of_buf_str(&b, ",\"direction\":\"in\",\"type\":");
    of_buf_json_str(&b, bad->type);
    of_buf_str(&b, ",\"id\":");
    of_buf_json_str(&b, bad->id);
    of_buf_char(&b, '}');
    char at[OF_TIME_TEXT];
    const struct of_kafka_header headers[] = {
        {"of-type", bad->type},   {"of-id", bad->id},         {"of-place", bad->place},
        {"of-error", bad->cause}, {"of-error-class", of_class_name(OF_CLASS_PERMANENT)},
        {"of-attempts", "1"},     {"of-since", of_time_format(of_wall_now(), at)},
        {"of-worker", w->name},   {NULL, NULL},
    };
    if (of_kafka_produce(w->producer, OF_TOPIC_BULK OF_TOPIC_DLQ_SUFFIX, conn->org, of_buf_text(&b), b.len, headers,
                         on_archived, NULL, &err) != OF_OK) {
        on_archived(NULL, &err);
    }
    of_buf_done(&b);
}

/* --- a message that cannot be understood --- */

struct dead {
    struct of_job job;
    struct of_worker *w;
    struct of_tracked m;
    struct of_err why;
    char *topic, *key, *payload;
    size_t key_len, len;
    int64_t timestamp_ms;
    enum { DEAD_ARCHIVE = 0, DEAD_ARCHIVING, DEAD_ROW } state;
    atomic_int archived; /* -1: not answered yet, else enum of_code */
};

static void dead_free(struct of_job *job)
{
    struct dead *d = OF_CONTAINER_OF(job, struct dead, job);
    free(d->payload);
    free(d->key);
    free(d->topic);
    free(d);
}

static void dead_archived(void *arg, const struct of_err *err)
{
    struct dead *d = arg;
    atomic_store(&d->archived, (int)err->code);
    of_job_wake(d->w->lanes, &d->job);
}

static enum of_step dead_again(struct dead *d, const struct of_err *err)
{
    of_log_err(OF_LOG_WARN, "dead.retry", "a message that was not understood cannot be put aside yet, trying again", err, NULL);
    d->job.wake_at.ms = of_boot_now().ms + RETRY_MS;
    return OF_STEP_WAIT;
}

static enum of_step dead_archive(struct dead *d)
{
    const struct of_kafka_msg msg = {.topic = d->topic, .partition = d->m.partition, .offset = d->m.offset,
                                     .timestamp_ms = d->timestamp_ms, .key = d->key, .key_len = d->key_len,
                                     .payload = d->payload, .len = d->len};
    d->state = DEAD_ARCHIVING;
    atomic_store(&d->archived, -1);
    of_dead_archive(d->w, &msg, &d->why, dead_archived, d);
    return OF_STEP_WAIT;
}

static enum of_code write_row(struct dead *d, struct of_err *err)
{
    struct of_pg *db = NULL;
    OF_TRY(of_pgpool_get(d->w->pool, DB_WAIT_MS, &db, err));
    OF_CLEANUP(of_freep) char *id = of_asprintf("%d/%lld", (int)d->m.partition, (long long)d->m.offset);
    bool is_org = d->key_len <= KEY_MAX && of_utf8_valid(d->key, d->key_len);
    struct of_pgargs args = OF_PGARGS_INIT;
    of_pg_arg_text(&args, is_org ? d->key : "");
    of_pg_arg_text(&args, d->topic);
    of_pg_arg_text(&args, id);
    of_pg_arg_text(&args, d->why.msg);
    of_pg_arg_text(&args, of_class_name(d->why.cls));
    of_pg_arg_text(&args, "message");
    enum of_code code = of_pg_run(db, &of_sql_dead_message, &args, NULL, err);
    of_pgpool_put(d->w->pool, db);
    return code;
}

static enum of_step dead_step(struct of_job *job)
{
    struct dead *d = OF_CONTAINER_OF(job, struct dead, job);
    struct of_err err = OF_ERR_INIT;
    if (d->state == DEAD_ARCHIVE) {
        return dead_archive(d);
    }
    if (d->state == DEAD_ARCHIVING) {
        int archived = atomic_load(&d->archived);
        if (archived < 0) {
            return OF_STEP_WAIT;
        }
        if (archived != OF_OK) {
            d->state = DEAD_ARCHIVE;
            of_err_set(&err, (enum of_code)archived, "archive of dead letters");
            return dead_again(d, &err);
        }
        d->state = DEAD_ROW;
    }
    if (write_row(d, &err) != OF_OK) {
        return dead_again(d, &err);
    }
    of_tracker_end(d->w->tracker, d->m);
    return OF_STEP_DONE;
}

void of_dead_message(struct of_worker *w, const struct of_kafka_msg *msg, const struct of_err *why, struct of_tracked m)
{
    of_log_err(OF_LOG_ERROR, "intake.not_understood", "a message was not understood, it becomes a dead letter", why,
               (const struct of_kv[]){OF_S("topic", msg->topic), OF_I("partition", msg->partition), OF_I("offset", msg->offset),
                                      {.key = NULL}});
    struct dead *d = of_calloc(1, sizeof(*d));
    d->job.step = dead_step;
    d->job.free = dead_free;
    d->job.priority = OF_PRIO_LIVE;
    d->w = w;
    d->m = m;
    d->why = *why;
    d->topic = of_strdup(msg->topic);
    d->key = of_strndup(msg->key ? msg->key : "", msg->key_len);
    d->key_len = msg->key_len;
    d->payload = of_alloc(msg->len + 1);
    if (msg->len > 0) {
        memcpy(d->payload, msg->payload, msg->len);
    }
    d->len = msg->len;
    d->timestamp_ms = msg->timestamp_ms;
    atomic_init(&d->archived, -1);
    of_lanes_add(w->lanes, "\x1f" "dead", &d->job);
}
