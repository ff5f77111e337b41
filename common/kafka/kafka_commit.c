/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kafka/kafka.h"

#include "common/kafka/kafka_int.h"

#define OF_KAFKA_COMMIT_WAIT_MS 1000
#define OF_KAFKA_PROBE_MS 300
#define OF_KAFKA_PROBE_AGAIN_MS 1000

void of_kafka_on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t code, of_kafka_list_t *offsets, void *opaque)
{
    (void)rk;
    for (int i = 0; offsets && i < offsets->cnt && !code; i++) {
        code = offsets->elems[i].err;
    }
    if (code && code != RD_KAFKA_RESP_ERR__NO_OFFSET) {
        struct of_err err = OF_ERR_INIT;
        of_kafka_fail(&err, code, "commit");
        of_kafka_report(opaque, &err);
    }
}

static rd_kafka_resp_err_t of_kafka_commit_wait(rd_kafka_t *rk, const of_kafka_list_t *list)
{
    /* rd_kafka_commit would wait for as long as the broker likes */
    OF_CLEANUP(of_kafka_queue_done) rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_resp_err_t code = rd_kafka_commit_queue(rk, list, queue, NULL, NULL);
    rd_kafka_event_t *event = code ? NULL : rd_kafka_queue_poll(queue, OF_KAFKA_COMMIT_WAIT_MS);
    if (!code && !event) {
        code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    } else if (event) {
        code = rd_kafka_event_error(event);
        const of_kafka_list_t *done = rd_kafka_event_topic_partition_list(event);
        for (int i = 0; done && i < done->cnt && !code; i++) {
            code = done->elems[i].err;
        }
        rd_kafka_event_destroy(event);
    }
    return code;
}

/* Codes that say that the coordinator did not answer, rather than what it thinks. */
static bool of_kafka_is_doubtful(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE ||
           code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__WAIT_COORD ||
           code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || code == RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE;
}

/* A commit for a coordinator that is away is kept by librdkafka, without bound, and holds up the end of the client. So in
 * doubt a question comes first, which is not kept. */
static bool of_kafka_coordinator_is_there(struct of_kafka_consumer *c, const of_kafka_list_t *list)
{
    int64_t now_ms = of_mono_now().ms;
    if (!c->doubt || now_ms < c->probe_at.ms) {
        return !c->doubt;
    }
    OF_CLEANUP(of_kafka_list_done) of_kafka_list_t *probe = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(probe, list->elems[0].topic, list->elems[0].partition);
    c->doubt = rd_kafka_committed(c->rk, probe, OF_KAFKA_PROBE_MS) != RD_KAFKA_RESP_ERR_NO_ERROR;
    if (c->doubt) {
        c->probe_at.ms = of_mono_now().ms + OF_KAFKA_PROBE_AGAIN_MS;
    }
    return !c->doubt;
}

enum of_code of_kafka_consumer_commit(struct of_kafka_consumer *c, const char *const *topics,
                                      const int32_t *partitions, const int64_t *offsets, int n, bool sync,
                                      struct of_err *err)
{
    if (n == 0) {
        return OF_OK; /* librdkafka would commit what it stored itself */
    }
    OF_CLEANUP(of_kafka_list_done) of_kafka_list_t *list = rd_kafka_topic_partition_list_new(n);
    for (int i = 0; i < n; i++) {
        rd_kafka_topic_partition_list_add(list, topics[i], partitions[i])->offset = offsets[i];
    }
    if (!of_kafka_coordinator_is_there(c, list)) {
        return of_kafka_fail(err, RD_KAFKA_RESP_ERR__WAIT_COORD, "commit");
    }
    rd_kafka_resp_err_t code = sync ? of_kafka_commit_wait(c->rk, list) : rd_kafka_commit(c->rk, list, 1);
    c->doubt = c->doubt || of_kafka_is_doubtful(code);
    return code ? of_kafka_fail(err, code, "commit") : OF_OK;
}
