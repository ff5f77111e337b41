/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kafka/kafka.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/kafka/kafka_int.h"
#include "common/time/time.h"

typedef const struct rd_kafka_metadata of_kafka_metadata_t;
OF_DEFINE_CLEANUP(of_kafka_metadata_t, rd_kafka_metadata_destroy, of_kafka_metadata_done)
OF_DEFINE_CLEANUP(rd_kafka_event_t, rd_kafka_event_destroy, of_kafka_event_done)
OF_DEFINE_CLEANUP(rd_kafka_AdminOptions_t, rd_kafka_AdminOptions_destroy, of_kafka_options_done)

static void of_kafka_client_done(rd_kafka_t **rk)
{
    if (*rk) {
        rd_kafka_destroy_flags(*rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
}

static void of_kafka_on_admin_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    (void)rk;
    (void)code;
    (void)reason;
    (void)opaque; /* the call that fails says so */
}

/* A client for questions: it joins no group, even with a group's name. */
static enum of_code of_kafka_admin_make(const char *brokers, const char *group, rd_kafka_t **ret, struct of_err *err)
{
    const struct of_kafka_setting settings[] = {
        {"group.id", group}, {"allow.auto.create.topics", "false"}, {"enable.auto.commit", "false"}, {NULL, NULL},
    };
    OF_CLEANUP(of_kafka_conf_done) rd_kafka_conf_t *conf = NULL;
    OF_TRY(of_kafka_conf_make(brokers, "openfaith-admin", settings, &conf, err));
    rd_kafka_conf_set_error_cb(conf, of_kafka_on_admin_error);
    return of_kafka_client_make(RD_KAFKA_CONSUMER, &conf, ret, err);
}

static int of_kafka_left_ms(int64_t until_ms)
{
    int64_t left_ms = until_ms - of_mono_now().ms;
    return (int)OF_MAX(left_ms, (int64_t)1);
}

/* All topics: asking for one by name would make some brokers create it. */
static enum of_code of_kafka_metadata_get(rd_kafka_t *rk, int timeout_ms, of_kafka_metadata_t **ret, struct of_err *err)
{
    rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 1, NULL, ret, timeout_ms);
    return code ? of_kafka_fail(err, code, "metadata") : OF_OK;
}

/* Number of partitions; 0: there is no such topic. */
static int of_kafka_partitions_of(of_kafka_metadata_t *metadata, const char *topic)
{
    for (int i = 0; i < metadata->topic_cnt; i++) {
        if (strcmp(metadata->topics[i].topic, topic) == 0) {
            return metadata->topics[i].partition_cnt;
        }
    }
    return 0;
}

/* --- creating --- */
static enum of_code of_kafka_new_topic(const struct of_kafka_topic_spec *spec, rd_kafka_NewTopic_t **ret,
                                       struct of_err *err)
{
    char text[128] = "", retention[32];
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(spec->name, spec->partitions, spec->replication, text, sizeof(text));
    if (!topic) {
        return of_err_set(err, OF_E_CONFIG, "topic %s: %s", spec->name, text);
    }
    if (spec->retention_ms >= 0) {
        snprintf(retention, sizeof(retention), "%" PRId64, spec->retention_ms);
        rd_kafka_NewTopic_set_config(topic, "retention.ms", retention);
    }
    *ret = topic;
    return OF_OK;
}

/* What the broker said about each topic. Created by somebody else meanwhile is as good. */
static enum of_code of_kafka_created_check(rd_kafka_event_t *event, struct of_buf *text, struct of_err *err)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    if (code) {
        return of_kafka_fail(err, code, "create topics");
    }
    size_t n = 0;
    const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
    const rd_kafka_topic_result_t **topics = rd_kafka_CreateTopics_result_topics(result, &n);
    for (size_t i = 0; i < n; i++) {
        code = rd_kafka_topic_result_error(topics[i]);
        const char *name = rd_kafka_topic_result_name(topics[i]);
        if (code && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
            return of_kafka_fail(err, code, name);
        }
        of_buf_fmt(text, "%s %s\n", code ? "exists" : "created", name);
    }
    return OF_OK;
}

static enum of_code of_kafka_create(rd_kafka_t *rk, rd_kafka_NewTopic_t **topics, size_t n, int timeout_ms,
                                    struct of_buf *text, struct of_err *err)
{
    OF_CLEANUP(of_kafka_queue_done) rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    OF_CLEANUP(of_kafka_options_done) rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    char ignored[128];
    rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, ignored, sizeof(ignored));
    /* until the partitions have leaders, so that whoever comes next finds them */
    rd_kafka_AdminOptions_set_operation_timeout(options, timeout_ms, ignored, sizeof(ignored));
    rd_kafka_CreateTopics(rk, topics, n, options, queue);
    OF_CLEANUP(of_kafka_event_done) rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms + 500);
    if (!event) {
        return of_kafka_fail(err, RD_KAFKA_RESP_ERR__TIMED_OUT, "create topics");
    }
    return of_kafka_created_check(event, text, err);
}

static enum of_code of_kafka_create_missing(rd_kafka_t *rk, const struct of_kafka_topic_spec *specs, int n,
                                            int64_t until_ms, struct of_buf *text, struct of_err *err)
{
    OF_CLEANUP(of_kafka_metadata_done) of_kafka_metadata_t *metadata = NULL;
    OF_TRY(of_kafka_metadata_get(rk, of_kafka_left_ms(until_ms), &metadata, err));
    rd_kafka_NewTopic_t **missing = of_calloc((size_t)n + 1, sizeof(*missing));
    size_t n_missing = 0;
    enum of_code code = OF_OK;
    for (int i = 0; i < n && code == OF_OK; i++) {
        int partitions = of_kafka_partitions_of(metadata, specs[i].name);
        if (partitions == 0) {
            code = of_kafka_new_topic(&specs[i], &missing[n_missing], err);
            n_missing += code == OF_OK ? 1 : 0;
        } else if (specs[i].partitions > 0 && partitions != specs[i].partitions) {
            code = of_err_set(err, OF_E_CONFIG, "topic %s has %d partitions, not %d", specs[i].name, partitions,
                              specs[i].partitions);
        } else {
            of_buf_fmt(text, "exists %s (%d partitions)\n", specs[i].name, partitions);
        }
    }
    if (code == OF_OK && n_missing > 0) {
        code = of_kafka_create(rk, missing, n_missing, of_kafka_left_ms(until_ms), text, err);
    }
    rd_kafka_NewTopic_destroy_array(missing, n_missing);
    free(missing);
    return code;
}

enum of_code of_kafka_ensure_topics(const char *brokers, const struct of_kafka_topic_spec *specs, int n,
                                    int timeout_ms, char **ret_text, struct of_err *err)
{
    int64_t until_ms = of_mono_now().ms + timeout_ms;
    OF_CLEANUP(of_kafka_client_done) rd_kafka_t *rk = NULL;
    OF_TRY(of_kafka_admin_make(brokers, NULL, &rk, err));
    struct of_buf text = OF_BUF_INIT((size_t)64 * 1024);
    enum of_code code = of_kafka_create_missing(rk, specs, n, until_ms, &text, err);
    if (code == OF_OK) {
        size_t len = 0;
        code = of_buf_take(&text, ret_text, &len, err);
    }
    of_buf_done(&text);
    return code;
}

/* --- lag --- */
static int of_kafka_lag_list(of_kafka_metadata_t *metadata, const char *const *topics, int n, of_kafka_list_t *list)
{
    for (int i = 0; i < n; i++) {
        int partitions = of_kafka_partitions_of(metadata, topics[i]);
        if (partitions > 0) {
            rd_kafka_topic_partition_list_add_range(list, topics[i], 0, partitions - 1);
        }
    }
    return list->cnt;
}

static enum of_code of_kafka_lag_one(rd_kafka_t *rk, const rd_kafka_topic_partition_t *at, int timeout_ms,
                                     struct of_kafka_lag *ret, struct of_err *err)
{
    rd_kafka_resp_err_t code = at->err;
    if (!code) {
        code = rd_kafka_query_watermark_offsets(rk, at->topic, at->partition, &ret->low, &ret->high, timeout_ms);
    }
    if (code) {
        return of_kafka_fail(err, code, at->topic);
    }
    of_strcopy(ret->topic, sizeof(ret->topic), at->topic);
    ret->partition = at->partition;
    ret->committed = at->offset >= 0 ? at->offset : -1;
    ret->lag = OF_MAX(ret->high - OF_MAX(ret->committed, ret->low), (int64_t)0);
    return OF_OK;
}

enum of_code of_kafka_group_lag(const char *brokers, const char *group, const char *const *topics, int n_topics,
                                int timeout_ms, struct of_kafka_lag **ret, int *ret_n, struct of_err *err)
{
    int64_t until_ms = of_mono_now().ms + timeout_ms;
    OF_CLEANUP(of_kafka_client_done) rd_kafka_t *rk = NULL;
    OF_CLEANUP(of_kafka_metadata_done) of_kafka_metadata_t *metadata = NULL;
    OF_CLEANUP(of_kafka_list_done) of_kafka_list_t *list = rd_kafka_topic_partition_list_new(16);
    OF_TRY(of_kafka_admin_make(brokers, group, &rk, err));
    OF_TRY(of_kafka_metadata_get(rk, timeout_ms, &metadata, err));
    int n = of_kafka_lag_list(metadata, topics, n_topics, list);
    rd_kafka_resp_err_t code = n > 0 ? rd_kafka_committed(rk, list, of_kafka_left_ms(until_ms)) : 0;
    if (code) {
        return of_kafka_fail(err, code, "committed offsets");
    }
    OF_CLEANUP(of_freep) struct of_kafka_lag *lags = of_calloc((size_t)n + 1, sizeof(*lags));
    for (int i = 0; i < n; i++) {
        OF_TRY(of_kafka_lag_one(rk, &list->elems[i], of_kafka_left_ms(until_ms), &lags[i], err));
    }
    *ret = OF_TAKE(lags);
    *ret_n = n;
    return OF_OK;
}

enum of_code of_kafka_check_topics(const char *brokers, const char *const *topics, int n_topics, int timeout_ms,
                                   int *ret_partitions, struct of_err *err)
{
    OF_CLEANUP(of_kafka_client_done) rd_kafka_t *rk = NULL;
    OF_CLEANUP(of_kafka_metadata_done) of_kafka_metadata_t *metadata = NULL;
    OF_TRY(of_kafka_admin_make(brokers, NULL, &rk, err));
    OF_TRY(of_kafka_metadata_get(rk, timeout_ms, &metadata, err));
    int first = n_topics > 0 ? of_kafka_partitions_of(metadata, topics[0]) : 0;
    for (int i = 0; i < n_topics; i++) {
        int partitions = of_kafka_partitions_of(metadata, topics[i]);
        if (partitions == 0) {
            return of_err_set(err, OF_E_CONFIG, "topic %s does not exist", topics[i]);
        }
        if (partitions != first) {
            return of_err_set(err, OF_E_CONFIG, "topic %s has %d partitions, %s has %d", topics[i], partitions,
                              topics[0], first);
        }
    }
    *ret_partitions = first;
    return OF_OK;
}
