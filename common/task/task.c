/* SPDX-License-Identifier: Apache-2.0 */
#include "common/task/task.h"

#include "common/json/json.h"

#include <stdlib.h>
#include <string.h>

#define MAX_NUMBER 9007199254740991 /* 2^53 - 1: what JSON numbers carry exactly */

static const struct {
    enum of_task_kind kind;
    const char *name;
    const char *members; /* all of them, ' ' before and after each */
} kinds[] = {
    {OF_TASK_PHASE, "phase", " v kind org adapter gen run type seq "},
    {OF_TASK_WORK, "work", " v kind org adapter gen "},
    {OF_TASK_POLL, "poll", " v kind org adapter gen "},
};

const char *of_task_kind_name(enum of_task_kind kind)
{
    for (size_t i = 0; i < OF_ARRAY_LEN(kinds); i++) {
        if (kinds[i].kind == kind) {
            return kinds[i].name;
        }
    }
    return "unknown";
}

void of_task_encode(const struct of_task_msg *msg, struct of_buf *b)
{
    of_buf_str(b, "{\"v\":1,\"kind\":");
    of_buf_json_str(b, of_task_kind_name(msg->kind));
    of_buf_str(b, ",\"org\":");
    of_buf_json_str(b, msg->org);
    of_buf_str(b, ",\"adapter\":");
    of_buf_json_str(b, msg->adapter);
    of_buf_str(b, ",\"gen\":");
    of_buf_i64(b, msg->generation);
    if (msg->kind == OF_TASK_PHASE) {
        of_buf_str(b, ",\"run\":");
        of_buf_i64(b, msg->run);
        of_buf_str(b, ",\"type\":");
        of_buf_json_str(b, msg->type);
        of_buf_str(b, ",\"seq\":");
        of_buf_i64(b, msg->seq);
    }
    of_buf_char(b, '}');
}

void of_task_msg_done(struct of_task_msg *msg)
{
    free(msg->org);
    free(msg->adapter);
    free(msg->type);
    *msg = (struct of_task_msg){.kind = msg->kind};
}

static enum of_code req_name(const struct of_json *root, const char *key, size_t max, char **ret, struct of_err *err)
{
    const char *text = NULL;
    OF_TRY(of_json_req_text(root, "$", key, max, &text, err));
    if (text[0] == '\0') {
        return of_err_set(err, OF_E_PARSE, "$.%s: empty", key);
    }
    *ret = of_strdup(text);
    return OF_OK;
}

/* Members that its kind does not have are a sign of another version: refused, not guessed at. */
static enum of_code check_members(const struct of_json *root, const char *members, struct of_err *err)
{
    int at = 0;
    for (const struct of_json *n = of_json_first(root); n != NULL; n = of_json_next(n), at++) {
        char word[16];
        const char *key = of_json_key(n);
        if (strlen(key) + 3 > sizeof word || strchr(key, ' ') != NULL) {
            return of_err_set(err, OF_E_PARSE, "$: member %d is not known", at);
        }
        word[0] = ' ';
        memcpy(word + 1, key, strlen(key));
        memcpy(word + 1 + strlen(key), " ", 2);
        if (strstr(members, word) == NULL) {
            return of_err_set(err, OF_E_PARSE, "$: member %d is not known", at);
        }
    }
    return OF_OK;
}

static enum of_code decode_root(const struct of_json *root, struct of_task_msg *msg, struct of_err *err)
{
    if (of_json_type(root) != OF_JSON_OBJECT) {
        return of_err_set(err, OF_E_PARSE, "$: expected object");
    }
    int64_t version = 0;
    const char *kind = NULL, *members = NULL;
    OF_TRY(of_json_req_i64(root, "$", "v", 1, 1, &version, err));
    OF_TRY(of_json_req_text(root, "$", "kind", OF_TASK_NAME_MAX, &kind, err));
    for (size_t i = 0; i < OF_ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].name, kind) == 0) {
            msg->kind = kinds[i].kind;
            members = kinds[i].members;
        }
    }
    if (members == NULL) {
        return of_err_set(err, OF_E_PARSE, "$.kind: not known");
    }
    OF_TRY(check_members(root, members, err));
    OF_TRY(req_name(root, "org", OF_TASK_ORG_MAX, &msg->org, err));
    OF_TRY(req_name(root, "adapter", OF_TASK_NAME_MAX, &msg->adapter, err));
    OF_TRY(of_json_req_i64(root, "$", "gen", 1, MAX_NUMBER, &msg->generation, err));
    if (msg->kind == OF_TASK_PHASE) {
        OF_TRY(of_json_req_i64(root, "$", "run", 1, MAX_NUMBER, &msg->run, err));
        OF_TRY(req_name(root, "type", OF_TASK_NAME_MAX, &msg->type, err));
        OF_TRY(of_json_req_i64(root, "$", "seq", 1, MAX_NUMBER, &msg->seq, err));
    }
    return OF_OK;
}

enum of_code of_task_decode(const char *text, size_t len, struct of_task_msg *ret_msg, struct of_err *err)
{
    OF_CLEANUP(of_json_freep) struct of_json *root = NULL;
    struct of_task_msg msg = {.kind = OF_TASK_WORK};
    OF_TRY(of_json_parse(text, len, OF_TASK_MAX_BYTES, &root, err));
    enum of_code code = decode_root(root, &msg, err);
    if (code != OF_OK) {
        of_task_msg_done(&msg);
        return code;
    }
    *ret_msg = msg;
    return OF_OK;
}
