/* SPDX-License-Identifier: Apache-2.0 */
/* Targets of every type, the versions asked for, and the tables themselves. */
#include "support.h"

#include <stdio.h>

#include "adapters/mapping.h"
#include "common/model/model.h"

static const struct of_wall a_moment = {.us = INT64_C(1577934245678901)}; /* 2020-01-02T03:04:05.678901Z */

static void assert_list(const char *type, of_scope scope, const struct of_list_pos *pos, const char *expected)
{
    struct of_buf out = OF_BUF_INIT(4096);
    pco()->list_target(type_of(type), scope, pos, &out);
    assert_string_equal(of_buf_text(&out), expected);
    of_buf_done(&out);
}

static of_scope scope_of(const char *names)
{
    of_scope scope = 0;
    char *added = NULL;
    struct of_err err = OF_ERR_INIT;
    assert_int_equal(of_scope_parse(pco(), names, &scope, &added, &err), OF_OK);
    free(added);
    return scope;
}

#define REFERENCES "marital_status,inactive_reason,name_prefix,name_suffix"

static void test_lists(void **state)
{
    (void)state;
    static const struct {
        const char *type, *target;
    } rows[] = {
        {"Campus", "/people/v2/campuses?order=created_at&per_page=100"},
        {"MaritalStatus", "/people/v2/marital_statuses?per_page=100"},
        {"InactiveReason", "/people/v2/inactive_reasons?per_page=100"},
        {"NamePrefix", "/people/v2/name_prefixes?per_page=100"},
        {"NameSuffix", "/people/v2/name_suffixes?per_page=100"},
        {"Tab", "/people/v2/tabs?per_page=100"},
        {"FieldDefinition", "/people/v2/field_definitions?include=field_options&per_page=100"},
        {"Person", "/people/v2/people?include=" REFERENCES ",emails,phone_numbers,addresses,field_data"
                   "&order=created_at&per_page=100"},
        {"Email", "/people/v2/emails?order=created_at&per_page=100"},
        {"PhoneNumber", "/people/v2/phone_numbers?order=created_at&per_page=100"},
        {"Address", "/people/v2/addresses?order=created_at&per_page=100"},
        {"FieldDatum", "/people/v2/field_data?order=created_at&per_page=100"},
        {"Household", "/people/v2/households?include=people&order=created_at&per_page=100"},
        {"GroupType", "/groups/v2/group_types?per_page=100"},
        {"Group", "/groups/v2/groups?where[archive_status]=include&per_page=100"},
        {"Fund", "/giving/v2/funds?per_page=100"},
        {"PaymentSource", "/giving/v2/payment_sources?per_page=100"},
        {"Batch", "/giving/v2/batches?order=updated_at&per_page=100"},
        {"Donation", "/giving/v2/donations?include=designations&order=created_at&per_page=100"},
    };
    for (size_t i = 0; i < OF_ARRAY_LEN(rows); i++) {
        enum of_list_by by = type_of(rows[i].type)->list;
        by = by == OF_LIST_WITH ? OF_LIST_CREATED : by;
        struct of_list_pos pos = {.by = by, .per_page = 100};
        assert_list(rows[i].type, of_scope_all(pco()), &pos, rows[i].target);
    }
    struct of_list_pos below = {.by = OF_LIST_OFFSET, .per_page = 100, .parent = "8"};
    assert_list("Membership", of_scope_all(pco()), &below, "/groups/v2/groups/8/memberships?per_page=100");
    assert_list("HouseholdMembership", of_scope_all(pco()), &below,
                "/people/v2/households/8/household_memberships?per_page=100");
    assert_list("FieldOption", of_scope_all(pco()), &below, "/people/v2/field_definitions/8/field_options?per_page=100");
    assert_list("Designation", of_scope_all(pco()), &below, "/giving/v2/donations/8/designations?per_page=100");
    below.parent = NULL;
    assert_list("Membership", of_scope_all(pco()), &below, "");
    below.parent = "a/b?c";
    assert_list("Membership", of_scope_all(pco()), &below, "/groups/v2/groups/a%2Fb%3Fc/memberships?per_page=100");
}

static void test_positions(void **state)
{
    (void)state;
    struct of_list_pos pos = {.by = OF_LIST_CREATED, .per_page = 25, .has_from = true, .from = a_moment, .offset = 50};
    assert_list("Person", scope_of("Person"), &pos,
                "/people/v2/people?include=" REFERENCES "&order=created_at&where[created_at][gte]=2020-01-02T03%3A04%3A05Z"
                "&per_page=25&offset=50");
    pos.by = OF_LIST_UPDATED;
    assert_list("Person", scope_of("PhoneNumber"), &pos,
                "/people/v2/people?include=" REFERENCES ",phone_numbers&order=updated_at"
                "&where[updated_at][gte]=2020-01-02T03%3A04%3A05Z&per_page=25&offset=50");
    pos = (struct of_list_pos){.by = OF_LIST_CREATED, .per_page = 500, .ids_only = true, .descending = true};
    assert_list("Person", of_scope_all(pco()), &pos,
                "/people/v2/people?fields[Person]=created_at&order=-created_at&per_page=100");
    pos = (struct of_list_pos){.by = OF_LIST_UPDATED, .per_page = 0, .ids_only = true};
    assert_list("Batch", of_scope_all(pco()), &pos, "/giving/v2/batches?fields[Batch]=updated_at&order=updated_at&per_page=1");
    pos = (struct of_list_pos){.by = OF_LIST_OFFSET, .per_page = 100, .ids_only = true, .offset = 100};
    assert_list("Group", of_scope_all(pco()), &pos,
                "/groups/v2/groups?where[archive_status]=include&fields[Group]=name&per_page=100&offset=100");
    /* before 1970 the second is still the one it is in */
    pos = (struct of_list_pos){.by = OF_LIST_CREATED, .per_page = 1, .has_from = true, .from = {.us = -1}};
    assert_list("Campus", 0, &pos,
                "/people/v2/campuses?order=created_at&where[created_at][gte]=1969-12-31T23%3A59%3A59Z&per_page=1");
}

static void assert_get(const char *type, const char *id, const char *parent, const char *expected)
{
    struct of_buf out = OF_BUF_INIT(4096);
    pco()->get_target(type_of(type), of_scope_all(pco()), id, parent, &out);
    assert_string_equal(of_buf_text(&out), expected);
    of_buf_done(&out);
}

static void test_gets(void **state)
{
    (void)state;
    assert_get("Person", "12", NULL,
               "/people/v2/people/12?include=" REFERENCES ",emails,phone_numbers,addresses,field_data");
    assert_get("Email", "5", "12", "/people/v2/emails/5");
    assert_get("FieldDatum", "5", "12", "/people/v2/field_data/5");
    assert_get("PaymentSource", "planning_center", NULL, "/giving/v2/payment_sources/planning_center");
    assert_get("Group", "8", NULL, "/groups/v2/groups/8");
    assert_get("Household", "8", NULL, "/people/v2/households/8?include=people");
    assert_get("Designation", "9", "77", "/giving/v2/donations/77/designations/9");
    assert_get("Membership", "9", "77", "/groups/v2/groups/77/memberships/9");
    assert_get("Membership", "9", NULL, "");
    struct of_buf out = OF_BUF_INIT(4096);
    pco()->mergers_target(a_moment, 0, &out);
    assert_string_equal(of_buf_text(&out), "/people/v2/person_mergers?order=created_at"
                                           "&where[created_at][gte]=2020-01-02T03%3A04%3A05Z&per_page=100");
    of_buf_clear(&out);
    pco()->mergers_target(a_moment, 200, &out);
    assert_non_null(strstr(of_buf_text(&out), "&per_page=100&offset=200"));
    of_buf_done(&out);
}

static void test_versions(void **state)
{
    (void)state;
    for (const struct of_type *t = pco()->types; t->name; t++) {
        const char *headers[4] = {NULL};
        assert_int_equal(pco()->headers(t, headers, 4), 1);
        const char *expected = strncmp(t->path, "/people/", 8) == 0   ? "X-PCO-API-Version: 2026-06-04"
                               : strncmp(t->path, "/groups/", 8) == 0 ? "X-PCO-API-Version: 2023-07-10"
                                                                      : "X-PCO-API-Version: 2019-10-18";
        assert_string_equal(headers[0], expected);
        assert_int_equal(pco()->headers(t, headers, 0), 0);
    }
    const char *headers[1] = {NULL};
    assert_int_equal(pco()->headers(NULL, headers, 1), 1);
    assert_string_equal(headers[0], "X-PCO-API-Version: 2026-06-04");
}

static enum of_coltype column_type(enum of_conv conv)
{
    switch (conv) {
    case OF_CONV_BOOL:
        return OF_COL_BOOL;
    case OF_CONV_INT:
        return OF_COL_INT;
    case OF_CONV_DOUBLE:
        return OF_COL_DOUBLE;
    case OF_CONV_TIME:
        return OF_COL_TIME;
    default:
        return OF_COL_TEXT;
    }
}

/* Whatever a table names is there: columns in the model with the right type, types in the adapter and before their users. */
static void test_tables(void **state)
{
    (void)state;
    for (size_t a = 0; of_adapter_at(a); a++) {
        const struct of_adapter *adapter = of_adapter_at(a);
        for (const struct of_type *t = adapter->types; t->name; t++) {
            assert_ptr_equal(of_type_find(adapter, t->name), t);
            assert_non_null(t->plural);
            assert_int_equal(t->path[0], '/');
            assert_int_equal(t->match == OF_MATCH_CHILD || t->match == OF_MATCH_NAME, t->match_column != NULL);
            struct of_plan *plan = of_alloc(sizeof(*plan));
            of_plan_init(plan, t);
            free(plan);
            for (const char *const *d = t->depends; *d; d++) {
                assert_non_null(of_type_find(adapter, *d));
                assert_true(of_type_find(adapter, *d) < t);
                assert_true(of_type_depends(t, *d));
            }
            bool nested = t->list == OF_LIST_WITH || t->list == OF_LIST_PER_PARENT;
            assert_int_equal(nested, t->with != NULL);
            assert_true(!nested || of_type_depends(t, t->with));
            const struct of_entity *e = t->kind == OF_KIND_ENTITY ? of_model_entity(t->entity) : NULL;
            assert_int_equal(e != NULL, t->kind == OF_KIND_ENTITY);
            for (const struct of_field *f = t->fields; f->attr; f++) {
                assert_true(f->column || e);
                if (e && f->column) {
                    assert_non_null(of_model_column(e, f->column));
                    assert_int_equal(of_model_column(e, f->column)->type, column_type(f->conv));
                }
            }
            for (const struct of_constant *c = t->constants; c && c->column; c++) {
                assert_non_null(of_model_column(e, c->column));
            }
            for (const struct of_relation *r = t->relations; r && r->key; r++) {
                assert_non_null(of_type_find(adapter, r->target));
                assert_int_equal(r->kind == OF_REL_COLUMN, r->column != NULL);
                if (r->column) {
                    assert_non_null(of_model_column(e, r->column));
                }
                if (r->kind == OF_REL_CHILDREN) {
                    assert_string_equal(of_type_find(adapter, r->target)->with, t->name);
                } else if (r->kind != OF_REL_VALUE) {
                    assert_true(of_type_depends(t, r->target));
                }
            }
        }
    }
}

static void test_registry(void **state)
{
    (void)state;
    assert_ptr_equal(of_adapter_at(0), pco());
    assert_null(of_adapter_at(1000));
    assert_null(of_adapter_find("nope"));
    assert_null(of_adapter_find(NULL));
    assert_null(of_type_find(pco(), "person"));
    assert_int_equal(of_type_index(pco(), type_of("Campus")), 0);
    assert_true(of_scope_all(pco()) == (UINT64_C(1) << 23) - 1);
    assert_false(of_type_depends(type_of("Fund"), "Person"));

    of_scope scope = 0;
    char *added = NULL;
    struct of_err err = OF_ERR_INIT;
    assert_int_equal(of_scope_parse(pco(), " Email,Person ", &scope, &added, &err), OF_OK);
    assert_string_equal(added, "Campus, MaritalStatus, InactiveReason, NamePrefix, NameSuffix");
    assert_true(of_scope_has(scope, of_type_index(pco(), type_of("Email"))));
    assert_false(of_scope_has(scope, of_type_index(pco(), type_of("PhoneNumber"))));
    free(added);
    assert_int_equal(of_scope_parse(pco(), "Designation", &scope, &added, &err), OF_OK);
    assert_string_equal(added, "Campus, MaritalStatus, InactiveReason, NamePrefix, NameSuffix, Person, Fund, "
                               "PaymentSource, Batch, Donation");
    free(added);
    assert_int_equal(of_scope_parse(pco(), "Fund", &scope, &added, &err), OF_OK);
    assert_string_equal(added, "");
    free(added);
    added = NULL;
    assert_int_equal(of_scope_parse(pco(), "Fund,Emial", &scope, &added, &err), OF_E_INVALID);
    assert_non_null(strstr(err.msg, "Emial"));
    assert_int_equal(of_scope_parse(pco(), " ,, ", &scope, &added, &err), OF_E_INVALID);
    assert_int_equal(of_scope_parse(pco(), "", &scope, &added, &err), OF_E_INVALID);
    assert_null(added);
}

/* docs/model.md is kept by hand: each type's row must name what its tables name. */
static void test_document(void **state)
{
    (void)state;
    struct of_buf doc = OF_BUF_INIT(1U << 20);
    FILE *f = fopen(OF_TEST_DOCUMENT, "r");
    assert_non_null(f);
    for (int c = getc(f); c != EOF; c = getc(f)) {
        of_buf_char(&doc, (char)c);
    }
    (void)fclose(f);
    for (const struct of_type *t = pco()->types; t->name; t++) {
        char *start = of_asprintf("\n| %s |", t->name);
        const char *found = strstr(of_buf_text(&doc), start);
        free(start);
        assert_non_null(found);
        char *row = of_strndup(found + 1, strcspn(found + 1, "\n"));
        for (const struct of_field *field = t->fields; field->attr; field++) {
            bool renamed = field->column && strcmp(field->column, field->attr) != 0;
            char *word = of_asprintf("`%s`%s%s", field->attr, renamed ? " \xe2\x86\x92 " : "", renamed ? field->column : "");
            if (!field->fallback && !field->map && !strstr(row, word)) {
                fail_msg("docs/model.md: %s lacks %s", t->name, word);
            }
            free(word);
        }
        for (const struct of_relation *r = t->relations; r && r->key; r++) {
            char *word = of_asprintf("`%s`", r->key);
            if (!strstr(row, word)) {
                fail_msg("docs/model.md: %s lacks %s", t->name, word);
            }
            free(word);
        }
        free(row);
    }
    of_buf_done(&doc);
}

/* The relations that become edges, as the worker reads them: type and direction by the model. */
static void test_edges(void **state)
{
    (void)state;
    static const struct {
        const char *type, *key, *edge;
    } rows[] = {
        {"Person", "primary_campus", "campus_primary_campus_person"},
        {"Email", "person", "email_has_person"},
        {"PhoneNumber", "person", "person_has_phoneNumber"},
        {"Address", "person", "address_has_person"},
        {"FieldDefinition", "tab", "field_has_folder"},
        {"Household", "people", "household_has_person"},
        {"Household", "primary_contact", "household_primary_contact_person"},
        {"Group", "group_type", "folder_group_type_group"},
        {"Donation", "person", "donation_has_person"},
        {"Donation", "batch", "batch_has_donation"},
        {"Donation", "campus", "campus_has_donation"},
        {"Donation", "payment_source", "donation_payment_source_paymentSource"},
        {"Designation", "donation", "designation_has_donation"},
        {"Designation", "fund", "designation_has_fund"},
    };
    size_t n = 0;
    for (const struct of_type *t = pco()->types; t->name; t++) {
        for (const struct of_relation *r = t->relations; r && r->key; r++) {
            if (r->kind != OF_REL_EDGE && r->kind != OF_REL_EDGES) {
                continue;
            }
            size_t i = 0;
            while (i < OF_ARRAY_LEN(rows) && (strcmp(rows[i].type, t->name) != 0 || strcmp(rows[i].key, r->key) != 0)) {
                i++;
            }
            assert_true(i < OF_ARRAY_LEN(rows));
            const char *other = type_of(r->target)->entity;
            bool source = of_edge_a_is_source(t->entity, other);
            char edge[128];
            of_edge_type(source ? t->entity : other, r->edge_key ? r->edge_key : r->key, source ? other : t->entity, edge,
                         sizeof(edge));
            assert_string_equal(edge, rows[i].edge);
            n++;
        }
    }
    assert_int_equal(n, OF_ARRAY_LEN(rows));
    const struct of_relation *member = type_of("HouseholdMembership")->relations;
    assert_string_equal(member[1].edge_key, "people");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),    cmocka_unit_test(test_positions), cmocka_unit_test(test_gets),
        cmocka_unit_test(test_versions), cmocka_unit_test(test_tables),    cmocka_unit_test(test_registry),
        cmocka_unit_test(test_edges),    cmocka_unit_test(test_document),
    };
    return cmocka_run_group_tests_name("requests", tests, NULL, NULL);
}
