/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz.h"

#include "adapters/project.h"

#include <string.h>

#define MAX_BYTES (8U << 20)

static struct of_json *read_back(const struct of_buf *b)
{
    struct of_json *ret = NULL;
    OF_BUG_ON(b->bad || of_json_parse(of_buf_text(b), b->len, MAX_BYTES, &ret, NULL) != OF_OK);
    return ret;
}

static void ask(const struct of_type *type, enum of_verb verb, const struct of_json *body, const struct of_json *with)
{
    const struct of_adapter *pco = of_adapter_find("pco");
    const struct of_write w = {.verb = verb, .type = type, .id = "1", .parent = "2", .body = body, .with = with};
    struct of_buf target = OF_BUF_INIT(64U << 10);
    struct of_buf text = OF_BUF_INIT(4 * MAX_BYTES);
    struct of_err err = OF_ERR_INIT;
    const char *method = NULL;
    if (pco->write_request(&w, of_scope_all(pco), &method, &target, &text, &err) == OF_OK && text.len > 0) {
        of_json_free(read_back(&text));
    }
    of_buf_done(&target);
    of_buf_done(&text);
}

/* What is sent is agreed on: after it the same ours differs in nothing that was sent. */
static void settle(const struct of_type *type, const struct of_json *ours, const struct of_json *seen, const struct of_json *agreed,
                   const struct of_json *sent, const struct of_json *answer)
{
    const struct of_adapter *pco = of_adapter_find("pco");
    struct of_buf s = OF_BUF_INIT(MAX_BYTES);
    struct of_buf a = OF_BUF_INIT(MAX_BYTES);
    struct of_buf again = OF_BUF_INIT(MAX_BYTES);
    int n = -1;
    (void)of_project_dropped(pco, type, sent, answer, NULL);
    OF_BUG_ON(of_project_dropped(pco, type, sent, sent, NULL) < 0);
    of_project_agree(pco, type, seen, agreed, sent, answer, &s, &a);
    OF_CLEANUP(of_json_freep) struct of_json *new_seen = read_back(&s);
    OF_CLEANUP(of_json_freep) struct of_json *new_agreed = a.len > 0 ? read_back(&a) : NULL;
    of_project_diff(pco, type, ours, new_seen, new_agreed, false, &again, &n, NULL);
    OF_BUG_ON(n < 0 || (n == 0) != (again.len == 0));
    of_buf_done(&s);
    of_buf_done(&a);
    of_buf_done(&again);
}

/* {"type":17,"row":…,"rel":…,"many":…,"seen":…,"agreed":…,"answer":…,"ours":…,"with":…}: each may be anything. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct of_adapter *pco = of_adapter_find("pco");
    OF_CLEANUP(of_json_freep) struct of_json *in = NULL;
    int64_t number = 0;
    size_t n_types = 0;
    if (of_json_parse((const char *)data, size, 1U << 20, &in, NULL) != OF_OK) {
        return 0;
    }
    while (pco->types[n_types].name) {
        n_types++;
    }
    (void)of_json_i64(of_json_get(in, "type"), &number);
    const struct of_type *type = &pco->types[(uint64_t)number % n_types];
    const struct of_json *seen = of_json_get(in, "seen");
    const struct of_json *agreed = of_json_get(in, "agreed");
    const struct of_json *given = of_json_get(in, "ours");
    struct of_buf body = OF_BUF_INIT(MAX_BYTES);
    const struct of_project_in p = {.adapter = pco, .type = type, .row = of_json_get(in, "row"), .rel = of_json_get(in, "rel"),
                                    .many = of_json_get(in, "many")};
    of_project(&p, &body);
    OF_CLEANUP(of_json_freep) struct of_json *ours = read_back(&body);
    for (int i = 0; i < 4; i++) {
        const struct of_json *mine = i & 1 ? given : ours;
        struct of_buf diff = OF_BUF_INIT(MAX_BYTES);
        int n = -1;
        of_project_diff(pco, type, mine, seen, agreed, i >= 2, &diff, &n, NULL);
        OF_CLEANUP(of_json_freep) struct of_json *sent = n > 0 ? read_back(&diff) : NULL;
        OF_BUG_ON((n > 0) != (diff.len > 0));
        ask(type, i >= 2 ? OF_VERB_CREATE : OF_VERB_UPDATE, sent, of_json_get(in, "with"));
        settle(type, mine, seen, agreed, sent, of_json_get(in, "answer"));
        of_buf_done(&diff);
    }
    ask(type, OF_VERB_CREATE, given, of_json_get(in, "with"));
    ask(type, OF_VERB_UPDATE, given, NULL);
    settle(type, given, seen, agreed, given, of_json_get(in, "answer"));
    of_buf_done(&body);
    return 0;
}
