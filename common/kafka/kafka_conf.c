/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kafka/kafka_int.h"

#include <stdlib.h>
#include <string.h>

#define OF_KAFKA_MAX_PROPERTIES 32

static struct of_kafka_property {
    char *name, *value;
} of_kafka_properties[OF_KAFKA_MAX_PROPERTIES + 1];

enum of_code of_kafka_set_property(const char *name, const char *value, struct of_err *err)
{
    static const char *const allowed[] = {"security.", "sasl.", "ssl.", "enable.ssl.", "client.rack"};
    bool ok = false;
    char text[8]; /* librdkafka's words quote the value: not wanted */
    size_t n = 0;
    for (size_t i = 0; i < OF_ARRAY_LEN(allowed); i++) {
        ok = ok || strncmp(name, allowed[i], strlen(allowed[i])) == 0;
    }
    OF_CLEANUP(of_kafka_conf_done) rd_kafka_conf_t *probe = rd_kafka_conf_new();
    if (!ok || rd_kafka_conf_set(probe, name, value, text, sizeof(text)) != RD_KAFKA_CONF_OK) {
        return of_err_set(err, OF_E_CONFIG, "kafka property %s: unknown, not allowed, or a bad value", name);
    }
    while (of_kafka_properties[n].name && strcmp(of_kafka_properties[n].name, name) != 0) {
        n++;
    }
    if (n == OF_KAFKA_MAX_PROPERTIES) {
        return of_err_set(err, OF_E_CONFIG, "more than %d kafka properties", OF_KAFKA_MAX_PROPERTIES);
    }
    struct of_kafka_property *p = &of_kafka_properties[n];
    if (!p->name) {
        p->name = of_strdup(name);
    }
    free(p->value);
    p->value = of_strdup(value);
    return OF_OK;
}

static enum of_code of_kafka_conf_put(rd_kafka_conf_t *conf, const char *name, const char *value, struct of_err *err)
{
    char text[8];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) != RD_KAFKA_CONF_OK) {
        return of_err_set(err, OF_E_CONFIG, "kafka: bad value for %s", name);
    }
    return OF_OK;
}

enum of_code of_kafka_conf_make(const char *brokers, const char *client_id, const struct of_kafka_setting *settings,
                                rd_kafka_conf_t **ret, struct of_err *err)
{
    static const struct of_kafka_setting common[] = {
        {"socket.keepalive.enable", "true"}, {"socket.nagle.disable", "true"}, {"socket.timeout.ms", "10000"},
        {"reconnect.backoff.ms", "100"},     {"reconnect.backoff.max.ms", "2000"},
    };
#ifdef OF_KAFKA_TSAN
    of_kafka_tsan_link(); /* or the linker would leave it out */
#endif
    OF_CLEANUP(of_kafka_conf_done) rd_kafka_conf_t *conf = rd_kafka_conf_new();
    OF_TRY(of_kafka_conf_put(conf, "bootstrap.servers", brokers, err));
    OF_TRY(of_kafka_conf_put(conf, "client.id", client_id, err));
    for (size_t i = 0; i < OF_ARRAY_LEN(common); i++) {
        OF_TRY(of_kafka_conf_put(conf, common[i].name, common[i].value, err));
    }
    for (const struct of_kafka_property *p = of_kafka_properties; p->name; p++) {
        OF_TRY(of_kafka_conf_put(conf, p->name, p->value, err));
    }
    for (const struct of_kafka_setting *s = settings; s && s->name; s++) {
        OF_TRY(of_kafka_conf_put(conf, s->name, s->value, err));
    }
    rd_kafka_conf_set_log_cb(conf, NULL); /* the default prints to stderr; what matters comes as an error too */
    *ret = OF_TAKE(conf);
    return OF_OK;
}

enum of_code of_kafka_client_make(rd_kafka_type_t type, rd_kafka_conf_t **conf, rd_kafka_t **ret, struct of_err *err)
{
    char text[200] = "";
    rd_kafka_t *rk = rd_kafka_new(type, *conf, text, sizeof(text));
    if (!rk) {
        return of_err_set(err, OF_E_CONFIG, "kafka client: %s", text);
    }
    *conf = NULL; /* it is the client's now */
    *ret = rk;
    return OF_OK;
}
