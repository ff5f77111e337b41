/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/model/model.h"

static void test_entities(void **state)
{
    (void)state;
    size_t n = 0;
    const struct of_entity *all = of_model_entities(&n);
    assert_int_equal(n, 17);
    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(of_model_entity(all[i].tag), &all[i]);
        assert_int_equal(strncmp(all[i].table, "openfaith_", 10), 0);
        for (const char *p = all[i].prefix; *p; p++) {
            assert_in_range(*p, 'a', 'z');
        }
        for (const struct of_column *c = all[i].columns; c->name; c++) {
            assert_ptr_equal(of_model_column(&all[i], c->name), c);
        }
    }
    assert_null(of_model_entity("nothing"));
    assert_null(of_model_entity(NULL));
}

static void test_columns(void **state)
{
    (void)state;
    const struct of_entity *person = of_model_entity("person");
    assert_string_equal(person->table, "openfaith_people");
    assert_false(of_model_column(person, "firstName")->not_null);
    assert_true(of_model_column(person, "status")->not_null);
    assert_int_equal(of_model_column(person, "inactivatedAt")->type, OF_COL_TIME);
    assert_null(of_model_column(person, "first_name"));
    const struct of_entity *donation = of_model_entity("donation");
    assert_int_equal(of_model_column(donation, "amountCents")->type, OF_COL_INT);
    assert_true(of_model_column(donation, "refunded")->not_null);
    assert_int_equal(of_model_column(of_model_entity("campus"), "latitude")->type, OF_COL_DOUBLE);
}

static void test_typeid(void **state)
{
    (void)state;
    char last[OF_TYPEID_MAX] = "";
    char id[OF_TYPEID_MAX];
    for (int i = 0; i < 20000; i++) {
        assert_ptr_equal(of_typeid_new("phonenumber", id), id);
        assert_true(of_typeid_valid(id, "phonenumber"));
        assert_true(strcmp(last, id) < 0);
        memcpy(last, id, sizeof(id));
    }
    assert_int_equal(strlen(strchr(id, '_') + 1), 26);
}

static void test_typeid_valid(void **state)
{
    (void)state;
    assert_true(of_typeid_valid("person_01h455vb4pex5vsknk084sn02q", "person"));
    assert_true(of_typeid_valid("person_7zzzzzzzzzzzzzzzzzzzzzzzzz", "person"));
    assert_false(of_typeid_valid("person_8zzzzzzzzzzzzzzzzzzzzzzzzz", "person"));
    assert_false(of_typeid_valid("person_01h455vb4pex5vsknk084sn02", "person"));
    assert_false(of_typeid_valid("person_01h455vb4pex5vsknk084sn02qq", "person"));
    assert_false(of_typeid_valid("person_01H455VB4PEX5VSKNK084SN02Q", "person"));
    assert_false(of_typeid_valid("person_01h455vb4pex5vsknk084sn02u", "person"));
    assert_false(of_typeid_valid("email_01h455vb4pex5vsknk084sn02q", "person"));
    assert_false(of_typeid_valid("person01h455vb4pex5vsknk084sn02q", "person"));
    assert_false(of_typeid_valid("", "person"));
    assert_false(of_typeid_valid(NULL, "person"));
}

/* The relation as it stands in an adapter's table (owner, key, other end), and what becomes of it. */
static const struct {
    const char *owner, *key, *other, *type;
} edges[] = {
    {"email", "person", "person", "email_has_person"},
    {"phoneNumber", "person", "person", "person_has_phoneNumber"}, /* both n to z: person_ is the smaller id */
    {"address", "person", "person", "address_has_person"},
    {"person", "primary_campus", "campus", "campus_primary_campus_person"},
    {"household", "people", "person", "household_has_person"},
    {"household", "primary_contact", "person", "household_primary_contact_person"},
    {"field", "tab", "folder", "field_has_folder"},
    {"group", "group_type", "folder", "folder_group_type_group"},
    {"group", "person", "person", "group_has_person"},
    {"donation", "person", "person", "donation_has_person"},
    {"donation", "batch", "batch", "batch_has_donation"},
    {"donation", "campus", "campus", "campus_has_donation"},
    {"donation", "payment_source", "paymentSource", "donation_payment_source_paymentSource"},
    {"designation", "donation", "donation", "designation_has_donation"},
    {"designation", "fund", "fund", "designation_has_fund"},
};

static void test_edges(void **state)
{
    (void)state;
    for (size_t i = 0; i < OF_ARRAY_LEN(edges); i++) {
        bool source = of_edge_a_is_source(edges[i].owner, edges[i].other);
        char type[128];
        of_edge_type(source ? edges[i].owner : edges[i].other, edges[i].key,
                     source ? edges[i].other : edges[i].owner, type, sizeof(type));
        assert_string_equal(type, edges[i].type);
        /* the direction is the same whoever asks, and the same as by the ids themselves */
        assert_int_equal(of_edge_a_is_source(edges[i].other, edges[i].owner), !source);
        char a[OF_TYPEID_MAX], b[OF_TYPEID_MAX];
        of_typeid_new(of_model_entity(edges[i].owner)->prefix, a);
        of_typeid_new(of_model_entity(edges[i].other)->prefix, b);
        assert_int_equal(of_edge_a_is_source_ids(a, b), source);
        assert_int_equal(of_edge_a_is_source_ids(b, a), !source);
    }
}

static void test_edge_all_pairs(void **state)
{
    (void)state;
    size_t n = 0;
    const struct of_entity *all = of_model_entities(&n);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++) {
            if (i == k) {
                continue;
            }
            char a[OF_TYPEID_MAX], b[OF_TYPEID_MAX];
            of_typeid_new(all[i].prefix, a);
            of_typeid_new(all[k].prefix, b);
            assert_int_equal(of_edge_a_is_source(all[i].tag, all[k].tag), of_edge_a_is_source_ids(a, b));
        }
    }
    assert_true(of_edge_a_is_source_ids("person_1", "person_2"));
    assert_false(of_edge_a_is_source_ids("person_2", "person_1"));
    assert_true(of_edge_a_is_source_ids("person_1", "person_1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entities),     cmocka_unit_test(test_columns), cmocka_unit_test(test_typeid),
        cmocka_unit_test(test_typeid_valid), cmocka_unit_test(test_edges),   cmocka_unit_test(test_edge_all_pairs),
    };
    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
