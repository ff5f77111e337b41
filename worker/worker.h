/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OF_WORKER_H
#define OF_WORKER_H

/* What every part of the worker shares: one struct of_worker per process, constant after start. */

#include <stdatomic.h>

#include "adapters/adapter.h"
#include "common/base/base.h"
#include "common/conf/conf.h"
#include "common/crypto/crypto.h"
#include "common/err/err.h"
#include "common/http/http.h"
#include "common/kafka/kafka.h"
#include "common/log/log.h"
#include "common/pg/pg.h"
#include "worker/lanes.h"
#include "worker/tracker.h"

struct of_remote;
struct of_intake;

struct of_worker {
    const struct of_conf *conf;
    const struct of_keyring *ring;
    char name[64]; /* host:pid:random — owner of leases */
    struct of_pgpool *pool;
    struct of_kafka_producer *producer;
    struct of_lanes *lanes;
    struct of_tracker *tracker;
    struct of_remote *remote;
    struct of_intake *intake;
    atomic_bool stopping;
};

/* Lane key of a connection: "org\x1fadapter". The caller frees. */
char *of_lane_key(const char *org, const char *adapter);

#endif
