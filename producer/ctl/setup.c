/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/ctl/ctl.h"

#include "common/kafka/kafka.h"
#include "common/migrate/migrate.h"
#include "common/migrate/publish.h"
#include "common/time/time.h"
#include "common/token/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOPICS_MS 15000
#define ROTATE_MS 45000
#define ROTATE_BATCH 500

/* Lines of text as JSON array members, each followed by a comma. */
static void json_lines(struct of_buf *b, const char *text)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        if (len > 0) {
            of_buf_json_mem(b, text, len);
            of_buf_char(b, ',');
        }
        text += len + (text[len] == '\n');
    }
}

static const struct {
    const char *name;
    bool dead;
} topics_wanted[] = {
    {OF_TOPIC_LIVE, false},    {OF_TOPIC_LIVE OF_TOPIC_DLQ_SUFFIX, true},
    {OF_TOPIC_BULK, false},    {OF_TOPIC_BULK OF_TOPIC_DLQ_SUFFIX, true},
    {OF_TOPIC_CHANGES, false}, {OF_TOPIC_CHANGES OF_TOPIC_DLQ_SUFFIX, true},
};

/* How many partitions the topics have that are there already: what is missing gets as many, whatever the setting says, since
 * all must have equally many. */
static enum of_code count_partitions(struct of_ctl *ctl, int *ret, struct of_err *err)
{
    *ret = (int)ctl->conf->partitions;
    for (size_t i = 0; i < OF_ARRAY_LEN(topics_wanted); i++) {
        int n = 0;
        enum of_code code = of_kafka_check_topics(ctl->conf->kafka_brokers, &topics_wanted[i].name, 1, TOPICS_MS, &n, err);
        if (code == OF_OK) {
            *ret = n;
            return OF_OK;
        }
        if (code != OF_E_CONFIG) { /* CONFIG: it is missing */
            return code;
        }
    }
    return OF_OK;
}

static enum of_code ensure_topics(struct of_ctl *ctl, char **ret_text, struct of_err *err)
{
    struct of_kafka_topic_spec specs[OF_ARRAY_LEN(topics_wanted)];
    int partitions = 0;
    OF_TRY(count_partitions(ctl, &partitions, err));
    for (size_t i = 0; i < OF_ARRAY_LEN(topics_wanted); i++) {
        specs[i] = (struct of_kafka_topic_spec){
            .name = topics_wanted[i].name,
            .partitions = partitions,
            .replication = (int)ctl->conf->replication,
            .retention_ms = topics_wanted[i].dead ? ctl->conf->dlq_retention_ms : ctl->conf->retention_ms,
        };
    }
    return of_kafka_ensure_topics(ctl->conf->kafka_brokers, specs, OF_ARRAY_LEN(specs), TOPICS_MS, ret_text, err);
}

/* Publications and slot. What goes wrong with them is no reason to stop: everything but the change reader works without. */
static void ensure_publishing(struct of_ctl *ctl, struct of_publish *p)
{
    struct of_err err = OF_ERR_INIT;
    bool good = false;
    if (!of_slot_name_valid(ctl->conf->slot)) {
        of_buf_str(&p->notes, "OF_SLOT: expected letters a to z, digits and _, at most 63\n");
        return;
    }
    /* the slot last: it can only read what was published when it was made */
    if (of_publish_ensure(ctl->db, p, &err) != OF_OK ||
        (p->owner_sql.len == 0 && of_publish_slot(ctl->db, ctl->conf->slot, p, &good, &err) != OF_OK)) {
        of_buf_fmt(&p->notes, "%s\n", err.msg);
    }
    if (!good && p->owner_sql.len > 0) {
        of_buf_str(&p->notes, "these statements need more rights, have them run and run migrate again:\n");
    }
}

static void print_migrate(struct of_ctl *ctl, const char *applied, const char *topics, const char *warning,
                          const struct of_publish *p)
{
    if (!ctl->json) {
        of_buf_str(&ctl->out, applied[0] != '\0' ? applied : "database: nothing to do\n");
        of_buf_str(&ctl->out, of_buf_text(&p->did));
        of_buf_str(&ctl->out, topics);
        of_buf_str(&ctl->out, of_buf_text(&p->notes));
        of_buf_str(&ctl->out, of_buf_text(&p->owner_sql));
        return;
    }
    of_buf_str(&ctl->out, "{\"applied\":[");
    json_lines(&ctl->out, applied);
    json_lines(&ctl->out, of_buf_text(&p->did));
    of_ctl_json_end(&ctl->out, ']');
    of_buf_str(&ctl->out, ",\"ownerSql\":[");
    json_lines(&ctl->out, of_buf_text(&p->owner_sql));
    of_ctl_json_end(&ctl->out, ']');
    of_buf_str(&ctl->out, ",\"topics\":[");
    json_lines(&ctl->out, topics);
    of_ctl_json_end(&ctl->out, ']');
    of_buf_str(&ctl->out, ",\"warnings\":[");
    json_lines(&ctl->out, warning);
    json_lines(&ctl->out, of_buf_text(&p->notes));
    of_ctl_json_end(&ctl->out, ']');
    of_buf_str(&ctl->out, "}\n");
}

enum of_code of_ctl_migrate(struct of_ctl *ctl, struct of_err *err)
{
    OF_CLEANUP(of_freep) char *applied = NULL;
    OF_CLEANUP(of_freep) char *topics = NULL;
    OF_CLEANUP(of_freep) char *problems = NULL;
    OF_CLEANUP(of_publish_done) struct of_publish publish = OF_PUBLISH_INIT;
    OF_TRY(of_pg_connect(ctl->conf->database_url, "openfaithctl", &ctl->db, err));
    OF_TRY(of_migrate(ctl->db, &applied, err));
    ensure_publishing(ctl, &publish);
    struct of_err topic_err = OF_ERR_INIT;
    const char *warning = "";
    enum of_code code = ensure_topics(ctl, &topics, &topic_err);
    if (code != OF_OK && topic_err.code != OF_E_CONFIG) {
        warning = topic_err.msg;
        fprintf(stderr, "openfaithctl: warning: the broker could not be asked about its topics: %s\n", warning);
        code = OF_OK;
    }
    print_migrate(ctl, applied, topics != NULL ? topics : "", warning, &publish);
    if (code != OF_OK) {
        *err = topic_err;
        return code;
    }
    code = of_migrate_check(ctl->db, &problems, err);
    if (problems != NULL) {
        fputs(problems, stderr);
    }
    return code;
}

enum of_code of_ctl_keys_new(struct of_ctl *ctl, struct of_err *err)
{
    char line[128];
    (void)err;
    of_keyring_new_line(line, sizeof line);
    if (ctl->json) {
        of_buf_char(&ctl->out, '{');
        of_ctl_json_text(&ctl->out, "line", line);
        of_ctl_json_end(&ctl->out, '}');
        of_buf_char(&ctl->out, '\n');
    } else {
        of_buf_fmt(&ctl->out, "%s\n", line);
    }
    return OF_OK;
}

OF_DEFINE_CLEANUP(struct of_keyring, of_keyring_free, keyring_freep)

enum of_code of_ctl_keys_rotate(struct of_ctl *ctl, struct of_err *err)
{
    OF_CLEANUP(keyring_freep) struct of_keyring *ring = NULL;
    OF_CLEANUP(of_token_rotation_done) struct of_token_rotation rotation = {.org = NULL};
    int64_t until = of_mono_now().ms + ROTATE_MS;
    bool more = true;
    OF_TRY(of_keyring_load(ctl->conf->keyring_file, &ring, err));
    while (more && of_mono_now().ms < until) {
        OF_TRY(of_token_rotate(ctl->db, ring, ROTATE_BATCH, &rotation, &more, err));
    }
    int64_t changed = rotation.looked - rotation.sealed - rotation.failed;
    if (ctl->json) {
        of_buf_char(&ctl->out, '{');
        of_ctl_json_text(&ctl->out, "key", of_keyring_current(ring));
        of_ctl_json_i64(&ctl->out, "sealed", rotation.sealed);
        of_ctl_json_i64(&ctl->out, "failed", rotation.failed);
        of_ctl_json_i64(&ctl->out, "changedMeanwhile", changed);
        of_ctl_json_bool(&ctl->out, "done", !more && rotation.failed == 0 && changed == 0);
        of_ctl_json_end(&ctl->out, '}');
        of_buf_char(&ctl->out, '\n');
    } else {
        of_ctl_say(&ctl->out, "%lld credentials encrypted with key %s", (long long)rotation.sealed, of_keyring_current(ring));
    }
    if (rotation.failed > 0) {
        return of_err_set(err, OF_E_CRYPTO, "%lld credentials could not be decrypted with any key of the ring",
                          (long long)rotation.failed);
    }
    if (more || changed > 0) {
        return of_err_set(err, OF_E_BUSY, "not all could be done in this time, run it again to go on");
    }
    return OF_OK;
}

enum of_code of_ctl_config_show(struct of_ctl *ctl, struct of_err *err)
{
    (void)err;
    of_conf_show(ctl->conf, OF_PROG_CTL, ctl->json, &ctl->out);
    return OF_OK;
}
