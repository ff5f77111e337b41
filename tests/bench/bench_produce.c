/* SPDX-License-Identifier: Apache-2.0 */
/* The ceiling of producing: bench-produce BROKERS COUNT [BATCH] sends COUNT poll messages through our own producer, waits for
 * each BATCH's acknowledgement (default: all at once), prints messages per second. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/kafka/kafka.h"
#include "common/task/task.h"
#include "common/time/time.h"

static atomic_llong acknowledged;

static void on_delivered(void *arg, const struct of_err *err)
{
    (void)arg;
    if (err->code == OF_OK) {
        atomic_fetch_add(&acknowledged, 1);
    }
}

static enum of_code send_all(struct of_kafka_producer *p, int64_t count, int64_t batch, struct of_err *err)
{
    struct of_buf b = OF_BUF_INIT(OF_TASK_MAX_BYTES);
    char adapter[] = "pco", org[64];
    enum of_code code = OF_OK;
    for (int64_t i = 0; i < count && code == OF_OK; i++) {
        snprintf(org, sizeof org, "org-%lld", (long long)i);
        struct of_task_msg msg = {.kind = OF_TASK_POLL, .org = org, .adapter = adapter, .generation = 1};
        of_buf_clear(&b);
        of_task_encode(&msg, &b);
        code = of_kafka_produce(p, OF_TOPIC_LIVE, org, b.data, b.len, NULL, on_delivered, NULL, err);
        if (code == OF_OK && (i + 1) % batch == 0) {
            code = of_kafka_producer_flush(p, 30000, err);
        }
    }
    of_buf_done(&b);
    return code == OF_OK ? of_kafka_producer_flush(p, 30000, err) : code;
}

int main(int argc, char **argv)
{
    struct of_kafka_producer *p = NULL;
    struct of_err err = OF_ERR_INIT;
    int64_t count = 0, batch = 50000; /* librdkafka's queue holds 100,000 */
    if (argc < 3 || !of_parse_i64(argv[2], 1, 100000000, &count) || (argc > 3 && !of_parse_i64(argv[3], 1, 50000, &batch))) {
        fprintf(stderr, "usage: bench-produce BROKERS COUNT [BATCH]\n");
        return 64;
    }
    if (of_kafka_producer_new(argv[1], "bench", 2, &p, &err) != OF_OK) {
        fprintf(stderr, "%s\n", err.msg);
        return 69;
    }
    struct of_mono begin = of_mono_now();
    enum of_code code = send_all(p, count, batch, &err);
    int64_t ms = of_mono_now().ms - begin.ms;
    of_kafka_producer_free(p);
    if (code != OF_OK || atomic_load(&acknowledged) != count) {
        fprintf(stderr, "%lld of %lld acknowledged: %s\n", (long long)atomic_load(&acknowledged), (long long)count, err.msg);
        return 70;
    }
    printf("%lld\n", (long long)(count * 1000 / (ms > 0 ? ms : 1)));
    return 0;
}
