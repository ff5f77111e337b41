/* SPDX-License-Identifier: Apache-2.0 */
#include "common/time/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void parse_gives(const char *in, const char *expected)
{
    struct of_wall t = {.us = -1};
    if (!of_time_parse(in, &t)) {
        fail_msg("'%s' was refused", in);
    }
    char buf[OF_TIME_TEXT];
    assert_string_equal(of_time_format(t, buf), expected);
}

static void instants_round_trip(void **state)
{
    (void)state;
    parse_gives("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z");
    parse_gives("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z");
    parse_gives("1969-12-31T23:59:59Z", "1969-12-31T23:59:59Z");
    parse_gives("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z");
    parse_gives("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z");
    parse_gives("2024-02-29", "2024-02-29T00:00:00Z");
    parse_gives("2026-11-22t10:00:00z", "2026-11-22T10:00:00Z");
    parse_gives("2026-11-22 10:00:00+00", "2026-11-22T10:00:00Z");
    struct of_wall t = {0};
    assert_true(of_time_parse("2026-11-22T10:00:00Z", &t));
    assert_int_equal(t.us, INT64_C(1795341600000000));
}

static void fractions(void **state)
{
    (void)state;
    parse_gives("2026-11-22T10:00:00.5Z", "2026-11-22T10:00:00.500000Z");
    parse_gives("2026-11-22T10:00:00.000001Z", "2026-11-22T10:00:00.000001Z");
    parse_gives("2026-11-22T10:00:00.000Z", "2026-11-22T10:00:00Z");
    parse_gives("2026-11-22T10:00:00.1234567899Z", "2026-11-22T10:00:00.123456Z");
    parse_gives("1969-12-31T23:59:59.75Z", "1969-12-31T23:59:59.750000Z");
}

static void offsets(void **state)
{
    (void)state;
    parse_gives("2026-11-22T10:00:00+01:00", "2026-11-22T09:00:00Z");
    parse_gives("2026-11-22T10:00:00-0530", "2026-11-22T15:30:00Z");
    parse_gives("2026-01-01T00:30:00+02", "2025-12-31T22:30:00Z");
    parse_gives("2024-02-28T23:30:00-01:00", "2024-02-29T00:30:00Z");
    parse_gives("2023-02-28T23:30:00-01:00", "2023-03-01T00:30:00Z");
    parse_gives("2026-11-22T10:00:00-00:00", "2026-11-22T10:00:00Z");
}

static void leap_years(void **state)
{
    (void)state;
    assert_true(of_date_valid("2000-02-29"));
    assert_true(of_date_valid("2024-02-29"));
    assert_true(of_date_valid("0004-02-29"));
    assert_false(of_date_valid("1900-02-29"));
    assert_false(of_date_valid("2100-02-29"));
    assert_false(of_date_valid("2023-02-29"));
    assert_false(of_date_valid("2024-02-30"));
    assert_false(of_date_valid("2023-04-31"));
    assert_false(of_date_valid("2023-13-01"));
    assert_false(of_date_valid("2023-00-10"));
    assert_false(of_date_valid("2023-01-00"));
    assert_false(of_date_valid("0000-01-01"));
    assert_false(of_date_valid("2023-1-01"));
    assert_false(of_date_valid("2023-01-01T00:00:00Z"));
    assert_false(of_date_valid(""));
    assert_false(of_date_valid(NULL));
}

static void garbage_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "2026", "2026-11-22T", "2026-11-22T10:00:00", "2026-11-22T10:00Z", "2026-11-22T24:00:00Z",
        "2026-11-22T10:60:00Z", "2026-11-22T10:00:60Z", "2026-11-22T10:00:00.Z", "2026-11-22T10:00:00,5Z",
        "2026-11-22T10:00:00Z ", " 2026-11-22T10:00:00Z", "2026-11-22T10:00:00ZZ", "2026-11-22T10:00:00+1",
        "2026-11-22T10:00:00+01:", "2026-11-22T10:00:00+01:6", "2026-11-22T10:00:00+24:00",
        "2026-11-22T10:00:00+01:60", "2026-11-22T10:00:00+012", "2026-02-29T10:00:00Z", "20261122T100000Z",
        "+2026-11-22T10:00:00Z", "12026-11-22T10:00:00Z", "2026-11-22_10:00:00Z", "-001-11-22T10:00:00Z",
        "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "2026-11-22T1a:00:00Z", "now"};
    for (size_t i = 0; i < OF_ARRAY_LEN(bad); i++) {
        struct of_wall t = {.us = 42};
        if (of_time_parse(bad[i], &t)) {
            fail_msg("'%s' was accepted", bad[i]);
        }
        assert_int_equal(t.us, 42);
    }
    struct of_wall t = {0};
    assert_false(of_time_parse(NULL, &t));
}

/* Each day of 400 years comes back, and each is one later than the day before. */
static void every_day_round_trips(void **state)
{
    (void)state;
    struct of_wall t = {0};
    assert_true(of_time_parse("1799-12-31", &t));
    char before[OF_TIME_TEXT] = "";
    for (int i = 0; i < 146097 + 1; i++) {
        char text[OF_TIME_TEXT];
        (void)of_time_format(t, text);
        struct of_wall back = {0};
        assert_true(of_time_parse(text, &back));
        assert_true(back.us == t.us);
        assert_true(strcmp(before, text) < 0);
        memcpy(before, text, sizeof(before));
        t.us += INT64_C(86400000000);
    }
    assert_string_equal(before, "2199-12-31T00:00:00Z");
}

static void http_dates(void **state)
{
    (void)state;
    struct of_wall t = {0};
    char buf[OF_TIME_TEXT];
    assert_true(of_time_parse_http("Sun, 06 Nov 1994 08:49:37 GMT", &t));
    assert_string_equal(of_time_format(t, buf), "1994-11-06T08:49:37Z");
    assert_true(of_time_parse_http("Thu, 01 Jan 1970 00:00:00 GMT", &t));
    assert_int_equal(t.us, 0);
    assert_true(of_time_parse_http("Wed, 31 Dec 1969 23:59:59 GMT", &t));
    static const char *const bad[] = {
        "", "Mon, 06 Nov 1994 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT ", "Sun, 06 Nov 1994 25:49:37 GMT"};
    for (size_t i = 0; i < OF_ARRAY_LEN(bad); i++) {
        assert_false(of_time_parse_http(bad[i], &t));
    }
    assert_false(of_time_parse_http(NULL, &t));
}

static void retry_after(void **state)
{
    (void)state;
    struct of_wall now = {0};
    assert_true(of_time_parse("1994-11-06T08:49:30.5Z", &now));
    int64_t ms = -1;
    assert_true(of_time_parse_retry_after("0", now, &ms));
    assert_int_equal(ms, 0);
    assert_true(of_time_parse_retry_after("120", now, &ms));
    assert_int_equal(ms, 120000);
    assert_true(of_time_parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now, &ms));
    assert_int_equal(ms, 6500);
    assert_true(of_time_parse_retry_after("Sun, 06 Nov 1994 08:49:00 GMT", now, &ms));
    assert_int_equal(ms, 0);
    assert_false(of_time_parse_retry_after("", now, &ms));
    assert_false(of_time_parse_retry_after("-1", now, &ms));
    assert_false(of_time_parse_retry_after("1.5", now, &ms));
    assert_false(of_time_parse_retry_after("1 ", now, &ms));
    assert_false(of_time_parse_retry_after("99999999999999999999", now, &ms));
    assert_false(of_time_parse_retry_after(NULL, now, &ms));
}

static void clocks_run(void **state)
{
    (void)state;
    struct of_mono a = of_mono_now();
    struct of_mono b = of_mono_now();
    assert_true(b.ms >= a.ms);
    assert_true(of_boot_now().ms >= a.ms);
    struct of_wall start = {0};
    assert_true(of_time_parse("2024-01-01", &start));
    assert_true(of_wall_now().us > start.us);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instants_round_trip), cmocka_unit_test(fractions),  cmocka_unit_test(offsets),
        cmocka_unit_test(leap_years),          cmocka_unit_test(garbage_is_refused),
        cmocka_unit_test(every_day_round_trips), cmocka_unit_test(http_dates), cmocka_unit_test(retry_after),
        cmocka_unit_test(clocks_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
