/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include "adapters/match.h"

static void test_fold(void **state)
{
    (void)state;
    static const struct {
        const char *text, *folded;
    } rows[] = {
        {"", ""},
        {"  \t\n ", ""},
        {" Ann \t Marie  ", "ann marie"},
        {"O'NEIL-Lee", "o'neil-lee"},
        {"\xc3\x84\xc3\x96\xc3\x9c\xc3\x9f\xc3\x97\xc3\x89", "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xc3\x97\xc3\xa9"},
        {"\xc5\x81\xc5\xbb\xc5\xb9\xc4\x86\xc5\xb8", "\xc5\x82\xc5\xbc\xc5\xba\xc4\x87\xc3\xbf"},
        {"\xce\x91\xce\xa9", "\xce\xb1\xcf\x89"},
        {"\xd0\x90\xd0\xaf\xd0\x81", "\xd0\xb0\xd1\x8f\xd1\x91"},
        {"\xe1\xba\xa0n", "\xe1\xba\xa1n"},
        {"Ann\xc2\xa0Lee", "ann lee"},
        {"\xf0\x9f\x98\x80 X", "\xf0\x9f\x98\x80 x"},
        {"a\xff" "B", "a\xff" "b"},
    };
    for (size_t i = 0; i < OF_ARRAY_LEN(rows); i++) {
        struct of_buf out = OF_BUF_INIT(256);
        of_match_fold(&out, rows[i].text);
        assert_string_equal(of_buf_text(&out), rows[i].folded);
        of_buf_done(&out);
    }
}

static void test_keys(void **state)
{
    (void)state;
    struct of_buf out = OF_BUF_INIT(1024);
    of_match_email(&out, NULL);
    of_match_email(&out, "  ");
    of_match_phone(&out, "12-34");
    of_match_phone(&out, NULL);
    of_match_name(&out, NULL, NULL);
    of_match_name(&out, " ", "");
    of_match_birthdate(&out, NULL);
    assert_string_equal(of_buf_text(&out), "");
    of_match_phone(&out, "+1 (555) 555-0100");
    of_match_phone(&out, "555-0100");
    of_match_email(&out, " Ann@Example.org");
    of_match_name(&out, "ANN ", " Lee");
    of_match_name(&out, NULL, "Lee");
    of_match_name(&out, "Ann", NULL);
    of_match_birthdate(&out, "1990-01-31");
    of_match_email(&out, "ann@example.org");
    char *sorted = of_match_sorted(of_buf_text(&out));
    assert_string_equal(sorted, "b:1990-01-31\x1f"
                                "e:ann@example.org\x1f"
                                "n:ann\x1f"
                                "n:ann lee\x1f"
                                "n:lee\x1f"
                                "p:5550100\x1f"
                                "p:5555550100");
    free(sorted);
    of_buf_done(&out);
    sorted = of_match_sorted("");
    assert_string_equal(sorted, "");
    free(sorted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fold), cmocka_unit_test(test_keys)};
    return cmocka_run_group_tests_name("match", tests, NULL, NULL);
}
