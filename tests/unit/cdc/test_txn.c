/* SPDX-License-Identifier: Apache-2.0 */
/* The store of transactions that have not committed. */
#include "cdc/txn.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define MB ((size_t)1024 * 1024)
#define NO_LIMIT UINT64_MAX

static char folder[] = "/tmp/of-txn-XXXXXX";

static int entries(const char *path)
{
    DIR *dir = opendir(path);
    int n = 0;
    while (dir != NULL && readdir(dir) != NULL) {
        n++;
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return n;
}

/* Row i of a transaction, told from i alone. */
static void make_row(uint32_t subxid, uint64_t i, char *org, char *id, struct of_txn_row *ret)
{
    uint64_t mixed = i * UINT64_C(0x9e3779b97f4a7c15);
    org[0] = '\0'; /* as of a delete */
    if (i % 100 != 99) {
        snprintf(org, 64, "church-%u", (unsigned)(i / 1000 % 7));
    }
    snprintf(id, 64, "person_01h%012llx%06llx", (unsigned long long)(i / 50), (unsigned long long)(mixed >> 40));
    *ret = (struct of_txn_row){.subxid = subxid, .rel = (uint32_t)(i / 3000 % 3) * 300, .op = "iudt"[i / 7 % 4],
                               .org = org, .id = id, .org_len = strlen(org), .id_len = strlen(id)};
}

static void add(struct of_txns *t, uint32_t xid, uint32_t subxid, uint64_t i)
{
    char org[64], id[64];
    struct of_txn_row row;
    struct of_err err = OF_ERR_INIT;
    make_row(subxid, i, org, id, &row);
    if (of_txns_add(t, xid, &row, &err) != OF_OK) {
        fail_msg("%s", err.msg);
    }
}

static void abort_sub(struct of_txns *t, uint32_t xid, uint32_t subxid)
{
    struct of_err err = OF_ERR_INIT;
    assert_int_equal(of_txns_abort(t, xid, subxid, &err), OF_OK);
}

static struct of_txn_reader *open_reader(struct of_txns *t, uint32_t xid)
{
    struct of_err err = OF_ERR_INIT;
    struct of_txn_reader *r = NULL;
    assert_int_equal(of_txns_open(t, xid, &r, &err), OF_OK);
    return r;
}

static bool next(struct of_txn_reader *r, struct of_txn_row *row)
{
    struct of_err err = OF_ERR_INIT;
    bool has = false;
    if (of_txns_next(r, row, &has, &err) != OF_OK) {
        fail_msg("%s", err.msg);
    }
    return has;
}

static void expect_row(struct of_txn_reader *r, uint32_t subxid, uint64_t i)
{
    char org[64], id[64];
    struct of_txn_row want, got;
    make_row(subxid, i, org, id, &want);
    if (!next(r, &got)) {
        fail_msg("row %llu is missing", (unsigned long long)i);
    }
    if (got.subxid != subxid || got.rel != want.rel || got.op != want.op || got.org_len != want.org_len ||
        got.id_len != want.id_len || strcmp(got.org, org) != 0 || strcmp(got.id, id) != 0) {
        fail_msg("row %llu: %u %u %c %s %s", (unsigned long long)i, got.subxid, got.rel, got.op, got.org, got.id);
    }
}

static void expect_end(struct of_txns *t, uint32_t xid, struct of_txn_reader *r)
{
    struct of_txn_row got;
    assert_false(next(r, &got));
    assert_false(next(r, &got));
    of_txns_end(t, xid, r);
}

static void test_in_memory(void **state)
{
    (void)state;
    struct of_txns *t = of_txns_new("/nowhere", MB, 0);
    for (uint64_t i = 0; i < 3000; i++) {
        add(t, 7, i % 10 == 3 ? 8 : 7, i);
    }
    assert_true(of_txns_memory(t) > 3000 * 10 && of_txns_memory(t) < 3000 * 40);
    assert_int_equal(of_txns_spilled(t), 0);
    struct of_txn_reader *r = open_reader(t, 7);
    for (uint64_t i = 0; i < 3000; i++) {
        expect_row(r, i % 10 == 3 ? 8 : 7, i);
    }
    expect_end(t, 7, r);
    assert_int_equal(of_txns_memory(t), 0);
    r = open_reader(t, 7); /* none has that name now */
    assert_null(r);
    expect_end(t, 7, r);
    abort_sub(t, 7, 7);
    abort_sub(t, 7, 9);
    assert_int_equal(of_txns_memory(t), 0);
    of_txns_free(t);
    of_txns_free(NULL);
}

/* Texts at their limits, with bytes of any kind. */
static void test_texts(void **state)
{
    (void)state;
    static char big[OF_TXN_TEXT_MAX + 2];
    for (size_t i = 0; i < sizeof big; i++) {
        big[i] = (char)(i * 7);
    }
    static const size_t lengths[] = {0, 1, 127, 128, 129, OF_TXN_TEXT_MAX - 1, OF_TXN_TEXT_MAX};
    for (size_t memory = 0; memory <= MB; memory += MB) {
        struct of_txns *t = of_txns_new(folder, memory, NO_LIMIT);
        struct of_err err = OF_ERR_INIT;
        for (size_t i = 0; i < 49 * 3; i++) {
            struct of_txn_row row = {.subxid = (uint32_t)(UINT32_MAX - i), .rel = (uint32_t)(UINT32_MAX - i), .op = (char)(i + 1),
                                     .org = big, .id = big + i % 2, .org_len = lengths[i % 7], .id_len = lengths[i / 7 % 7]};
            assert_int_equal(of_txns_add(t, 5, &row, &err), OF_OK);
        }
        struct of_txn_row large = {.op = 'i', .org = big, .id = big, .id_len = OF_TXN_TEXT_MAX + 1};
        assert_int_equal(of_txns_add(t, 5, &large, &err), OF_E_TOO_LARGE);
        large.org_len = OF_TXN_TEXT_MAX + 1;
        large.id_len = 0;
        assert_int_equal(of_txns_add(t, 5, &large, &err), OF_E_TOO_LARGE);
        struct of_txn_reader *r = open_reader(t, 5);
        for (size_t i = 0; i < 49 * 3; i++) {
            struct of_txn_row got;
            assert_true(next(r, &got));
            assert_int_equal(got.subxid, UINT32_MAX - i);
            assert_int_equal(got.rel, UINT32_MAX - i);
            assert_int_equal(got.op, (char)(i + 1));
            assert_int_equal(got.org_len, lengths[i % 7]);
            assert_int_equal(got.id_len, lengths[i / 7 % 7]);
            assert_memory_equal(got.org, big, got.org_len);
            assert_memory_equal(got.id, big + i % 2, got.id_len);
            assert_int_equal(got.org[got.org_len], 0);
            assert_int_equal(got.id[got.id_len], 0);
        }
        expect_end(t, 5, r);
        of_txns_free(t);
    }
}

/* 2,000,000 rows within 16 MB, and their file ends with them. */
static void test_two_million(void **state)
{
    (void)state;
    enum { ROWS = 2000000 };
    struct of_txns *t = of_txns_new(folder, 16 * MB, NO_LIMIT);
    size_t most = 0;
    int files = entries("/proc/self/fd");
    for (uint64_t i = 0; i < ROWS; i++) {
        add(t, 7, 7, i);
        most = OF_MAX(most, of_txns_memory(t));
    }
    assert_true(most <= 16 * MB);
    assert_true(of_txns_spilled(t) > 8 * MB && of_txns_spilled(t) < (size_t)ROWS * 26);
    assert_int_equal(entries(folder), 2); /* the file has no name */
    assert_int_equal(entries("/proc/self/fd"), files + 1);
    struct of_txn_reader *r = open_reader(t, 7);
    for (uint64_t i = 0; i < ROWS; i++) {
        expect_row(r, 7, i);
    }
    expect_end(t, 7, r);
    assert_int_equal(of_txns_memory(t), 0);
    assert_int_equal(of_txns_spilled(t), 0);
    assert_int_equal(entries("/proc/self/fd"), files);
    of_txns_free(t);
}

/* Sub-transactions rolled back before and after their rows went to the file, and whole transactions. */
static void test_aborts(void **state)
{
    (void)state;
    struct of_txns *t = of_txns_new(folder, 64 * 1024, NO_LIMIT);
    for (uint64_t i = 0; i < 20000; i++) {
        add(t, 100, (uint32_t)(100 + i / 1000), i); /* 1,000 rows each: 100 itself, then 101 to 119 */
        if (i == 3500) {
            assert_true(of_txns_spilled(t) == 0);
            abort_sub(t, 100, 102); /* in memory still */
        }
    }
    assert_true(of_txns_spilled(t) > 100 * 1024);
    abort_sub(t, 100, 110); /* in the file */
    abort_sub(t, 100, 105); /* not in order */
    abort_sub(t, 100, 105); /* said twice */
    abort_sub(t, 100, 119); /* the last of all, partly in memory */
    abort_sub(t, 100, 500); /* has no rows */
    struct of_txn_reader *r = open_reader(t, 100);
    for (uint64_t i = 0; i < 20000; i++) {
        uint32_t subxid = (uint32_t)(100 + i / 1000);
        if (subxid != 102 && subxid != 105 && subxid != 110 && subxid != 119) {
            expect_row(r, subxid, i);
        }
    }
    expect_end(t, 100, r);
    for (uint64_t i = 0; i < 20000; i++) {
        add(t, 200, 200, i);
        add(t, 456, 456, i); /* the same bucket */
    }
    uint64_t both = of_txns_spilled(t);
    abort_sub(t, 200, 200);
    assert_true(of_txns_spilled(t) > 0 && of_txns_spilled(t) < both * 3 / 4);
    assert_null(open_reader(t, 200));
    r = open_reader(t, 456);
    for (uint64_t i = 0; i < 20000; i++) {
        expect_row(r, 456, i);
    }
    expect_end(t, 456, r);
    for (uint64_t i = 0; i < 10000; i++) {
        add(t, (uint32_t)(i % 5), 1, i);
    }
    of_txns_clear(t);
    assert_int_equal(of_txns_memory(t), 0);
    assert_int_equal(of_txns_spilled(t), 0);
    assert_null(open_reader(t, 3));
    of_txns_free(t);
}

/* A reader that rests, while others bring their rows. */
static void test_reader_rests(void **state)
{
    (void)state;
    size_t max = 100 * 1024, most = 0;
    struct of_txns *t = of_txns_new(folder, max, NO_LIMIT);
    for (uint64_t i = 0; i < 15000; i++) {
        add(t, 7, 7, i); /* partly in its file */
    }
    assert_true(of_txns_spilled(t) > 0);
    struct of_txn_reader *r = open_reader(t, 7);
    for (uint64_t i = 0; i < 15000; i++) {
        expect_row(r, 7, i);
        add(t, (uint32_t)(8 + i % 2), 10, i);
        add(t, (uint32_t)(8 + i % 2), 10, i);
        most = OF_MAX(most, of_txns_memory(t));
    }
    assert_true(most <= max + 64 * 1024); /* and a chunk and the struct of each transaction */
    expect_end(t, 7, r);
    for (uint32_t xid = 8; xid <= 9; xid++) {
        r = open_reader(t, xid);
        for (uint64_t i = xid - 8; i < 15000; i += 2) {
            expect_row(r, 10, i);
            expect_row(r, 10, i);
        }
        expect_end(t, xid, r);
    }
    of_txns_free(t);
}

static void test_file_max(void **state)
{
    (void)state;
    struct of_txns *t = of_txns_new(folder, 128 * 1024, 512 * 1024);
    struct of_err err = OF_ERR_INIT;
    char org[64], id[64];
    struct of_txn_row row;
    uint64_t rows = 0;
    for (;; rows++) {
        make_row(7, rows, org, id, &row);
        if (of_txns_add(t, 7, &row, &err) != OF_OK) {
            break;
        }
        assert_true(rows < 100000);
    }
    assert_int_equal(err.code, OF_E_TOO_LARGE);
    assert_true(of_txns_spilled(t) <= 512 * 1024 && of_txns_spilled(t) > 256 * 1024);
    assert_int_equal(of_txns_add(t, 8, &row, &err), OF_E_TOO_LARGE); /* for others too */
    struct of_txn_reader *r = open_reader(t, 7);
    for (uint64_t i = 0; i < rows; i++) {
        expect_row(r, 7, i);
    }
    expect_end(t, 7, r);
    for (uint64_t i = 0; i < rows; i++) { /* there is room again */
        add(t, 8, 8, i);
    }
    of_txns_free(t);
}

/* What cannot be written stays in memory; once it can be, nothing is missing or twice. */
static void test_disk_full(void **state)
{
    (void)state;
    struct of_err err = OF_ERR_INIT;
    char org[64], id[64];
    struct of_txn_row row;
    struct of_txns *t = of_txns_new("/nowhere/at/all", 64 * 1024, NO_LIMIT);
    enum of_code code = OF_OK;
    for (uint64_t i = 0; i < 10000 && code == OF_OK; i++) {
        make_row(7, i, org, id, &row);
        code = of_txns_add(t, 7, &row, &err);
    }
    assert_int_equal(code, OF_E_IO);
    of_txns_free(t);

    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){.rlim_cur = 300000, .rlim_max = old.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    t = of_txns_new(folder, 256 * 1024, NO_LIMIT);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    uint64_t rows = 0;
    for (code = OF_OK; code == OF_OK && rows < 100000; rows += code == OF_OK) {
        make_row(7, rows, org, id, &row);
        code = of_txns_add(t, 7, &row, &err);
    }
    enum of_code again = of_txns_add(t, 7, &row, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, handler);
    assert_int_equal(code, OF_E_IO);
    assert_int_equal(again, OF_E_IO);
    for (uint64_t i = rows; i < rows * 2; i++) {
        add(t, 7, 7, i);
    }
    struct of_txn_reader *r = open_reader(t, 7);
    for (uint64_t i = 0; i < rows * 2; i++) {
        expect_row(r, 7, i);
    }
    expect_end(t, 7, r);
    of_txns_free(t);
}

/* Many transactions at once in any order, against a plain model. */
struct model {
    struct {
        uint32_t subxid;
        uint64_t i;
    } *rows;
    size_t n;
    bool aborted[8];
};

static uint32_t draw(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

static void model_end(struct of_txns *t, uint32_t xid, struct model *m, bool commit)
{
    if (commit) {
        struct of_txn_reader *r = open_reader(t, xid);
        for (size_t i = 0; i < m->n; i++) {
            uint32_t subxid = m->rows[i].subxid;
            if (!m->aborted[subxid - xid]) {
                expect_row(r, subxid, m->rows[i].i);
            }
        }
        expect_end(t, xid, r);
    } else {
        abort_sub(t, xid, xid);
    }
    m->n = 0;
    memset(m->aborted, 0, sizeof m->aborted);
}

static void test_at_random(void **state)
{
    (void)state;
    enum { TXNS = 6, STEPS = 3000, ROWS_MAX = 40000 };
    static struct model models[TXNS];
    for (uint64_t round = 1; round <= 6; round++) {
        uint64_t seed = round;
        struct of_txns *t = of_txns_new(folder, round * 40 * 1024, NO_LIMIT);
        for (int i = 0; i < TXNS; i++) {
            models[i].rows = of_calloc(ROWS_MAX, sizeof(models[i].rows[0]));
        }
        for (int step = 0; step < STEPS; step++) {
            uint32_t which = draw(&seed) % TXNS, xid = 1000 + which * 256; /* all in one bucket */
            struct model *m = &models[which];
            uint32_t what = draw(&seed) % 100;
            uint32_t sub = draw(&seed) % 8;
            if (what < 90) {
                uint64_t first = draw(&seed);
                for (uint32_t n = draw(&seed) % 60; n > 0 && m->n < ROWS_MAX && !m->aborted[sub]; n--) {
                    m->rows[m->n].subxid = xid + sub;
                    m->rows[m->n].i = first + n;
                    m->n++;
                    add(t, xid, xid + sub, first + n);
                }
            } else if (what < 98) {
                if (sub != 0) {
                    m->aborted[sub] = m->n > 0; /* of one that is not there nothing is remembered */
                    abort_sub(t, xid, xid + sub);
                }
            } else {
                model_end(t, xid, m, what == 98);
            }
        }
        for (uint32_t i = 0; i < TXNS; i++) {
            model_end(t, 1000 + i * 256, &models[i], true);
            free(models[i].rows);
        }
        assert_int_equal(of_txns_memory(t), 0);
        assert_int_equal(of_txns_spilled(t), 0);
        of_txns_free(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_memory),    cmocka_unit_test(test_texts),    cmocka_unit_test(test_two_million),
        cmocka_unit_test(test_aborts),       cmocka_unit_test(test_file_max), cmocka_unit_test(test_reader_rests),
        cmocka_unit_test(test_disk_full),    cmocka_unit_test(test_at_random),
    };
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return rmdir(folder) != 0 || failed ? 1 : 0;
}
