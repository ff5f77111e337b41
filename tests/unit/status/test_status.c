/* SPDX-License-Identifier: Apache-2.0 */
#include "common/status/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_type_words(void **state)
{
    (void)state;
    static const struct {
        struct of_status_row row;
        const char *sentence, *message;
    } rows[] = {
        {{"Person", "People", "pending", 0, -1, NULL}, "Pending Initial Sync", "Pending Initial Sync"},
        {{"Person", "People", "stage", 5, 9, NULL}, "Initial Sync: Staging External IDs",
         "Initial Sync: Processed 5 of 9 People - Staging External IDs"},
        {{"Person", "People", "stage", 5, -1, NULL}, "Initial Sync: Staging External IDs",
         "Initial Sync: Processed 5 People - Staging External IDs"},
        {{"Person", "People", "stage", 12, 9, NULL}, "Initial Sync: Staging External IDs",
         "Initial Sync: Processed 12 of 12 People - Staging External IDs"},
        {{"PhoneNumber", "Phone Numbers", "match", 0, 1, NULL}, "Initial Sync: Matching Existing",
         "Initial Sync: Processed 0 of 1 Phone Numbers - Matching Existing"},
        {{"Person", "People", "create", 1, 2, NULL}, "Initial Sync: Creating New",
         "Initial Sync: Processed 1 of 2 People - Creating New"},
        {{"Person", "People", "populate", 1, 2, NULL}, "Initial Sync: Populating Data",
         "Initial Sync: Processed 1 of 2 People - Populating Data"},
        {{"Person", "People", "push", 1, 2, NULL}, "Initial Sync: Pushing OpenFaith Data to External System",
         "Initial Sync: Processed 1 of 2 People - Pushing OpenFaith Data to External System"},
        {{"Person", "People", "active", 2, 2, NULL}, "Active - Incremental Sync Enabled", "Active - Incremental Sync Enabled"},
        {{"Donation", "Donations", "error", 0, -1, "no access (403)"}, "Error", "no access (403)"},
        {{"Donation", "Donations", "error", 0, -1, NULL}, "Error", "no reason was given"},
    };
    for (size_t i = 0; i < OF_ARRAY_LEN(rows); i++) {
        struct of_buf b = OF_BUF_INIT(1000);
        of_status_type_message(&rows[i].row, &b);
        assert_string_equal(of_status_type_state(&rows[i].row), rows[i].sentence);
        assert_string_equal(of_buf_text(&b), rows[i].message);
        of_buf_done(&b);
    }
}

static void expect(const char *conn_state, const char *reason, const struct of_status_row *rows, size_t n, const char *sentence,
                   const char *message)
{
    struct of_buf b = OF_BUF_INIT(1000);
    assert_string_equal(of_status_connection(conn_state, reason, rows, n, &b), sentence);
    assert_string_equal(of_buf_text(&b), message);
    of_buf_done(&b);
}

static void test_stopped(void **state)
{
    (void)state;
    static const struct of_status_row rows[] = {{"Person", "People", "stage", 5, 9, NULL}};
    expect("paused", NULL, rows, 1, "Paused", "Paused");
    expect("reconnect", "the token was revoked", rows, 1, "Reconnect Needed", "the token was revoked");
    expect("parked", "20 failures alike", rows, 1, "Error", "20 failures alike");
    expect("disconnected", "", rows, 1, "Disconnected", "Disconnected");
}

static void test_whole(void **state)
{
    (void)state;
    static const struct of_status_row fresh[] = {{"Campus", "Campuses", "pending", 0, -1, NULL},
                                                 {"Person", "People", "pending", 0, -1, NULL}};
    expect("connected", NULL, fresh, 2, "Pending Initial Sync", "Pending Initial Sync");
    expect("connected", NULL, fresh, 0, "Pending Initial Sync", "Pending Initial Sync");
    /* the furthest behind speaks, those that have not begun are silent */
    static const struct of_status_row mixed[] = {{"Campus", "Campuses", "active", 3, 3, NULL},
                                                 {"Person", "People", "create", 5, 90, NULL},
                                                 {"Email", "Emails", "stage", 10, 20, NULL},
                                                 {"Address", "Addresses", "stage", 10, 40, NULL},
                                                 {"Donation", "Donations", "pending", 0, -1, NULL}};
    expect("connected", NULL, mixed, 5, "Initial Sync: Staging External IDs",
           "Initial Sync: Processed 10 of 40 Addresses - Staging External IDs");
    expect("connected", NULL, mixed, 2, "Initial Sync: Creating New", "Initial Sync: Processed 5 of 90 People - Creating New");
    assert_false(of_status_is_finished(mixed, 5));
    static const struct of_status_row done[] = {{"Campus", "Campuses", "active", 3, 3, NULL},
                                                {"Fund", "Funds", "error", 0, -1, "no access"},
                                                {"Donation", "Donations", "error", 0, -1, "no access (403)"}};
    assert_true(of_status_is_finished(done, 3));
    expect("connected", NULL, done, 1, "Active - Incremental Sync Enabled", "Active - Incremental Sync Enabled");
    expect("connected", NULL, done, 3, "Active - Incremental Sync Enabled",
           "Active - Incremental Sync Enabled (Funds: no access; Donations: no access (403))");
    static const struct of_status_row asks[] = {{"Person", "People", "active", 3, 3, "9 of 20 are missing"}};
    assert_true(of_status_is_finished(asks, 1));
    expect("connected", NULL, asks, 1, "Active - Incremental Sync Enabled",
           "Active - Incremental Sync Enabled (People: 9 of 20 are missing)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_type_words),
        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
