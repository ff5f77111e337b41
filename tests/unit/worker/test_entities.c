/* SPDX-License-Identifier: Apache-2.0 */
/* The statements made from the type tables: their edges' names and directions, their columns, and that no table forgets one.
 * (tests/pg prepares and runs them.) */
#include "worker/entities.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct of_adapter *pco;

static void edges_point_as_the_model_says(void **state)
{
    (void)state;
    static const struct {
        const char *type, *key, *name;
        bool self_is_source;
    } edges[] = {
        {"Person", "primary_campus", "campus_primary_campus_person", false},
        {"Email", "person", "email_has_person", true},
        {"PhoneNumber", "person", "person_has_phoneNumber", false},
        {"Address", "person", "address_has_person", true},
        {"Household", "people", "household_has_person", true},
        {"Household", "primary_contact", "household_primary_contact_person", true},
        {"FieldDefinition", "tab", "field_has_folder", true},
        {"Group", "group_type", NULL, false},
        {"Donation", "person", "donation_has_person", true},
        {"Designation", "fund", "designation_has_fund", true},
    };
    for (size_t i = 0; i < OF_ARRAY_LEN(edges); i++) {
        const struct of_type *t = of_type_find(pco, edges[i].type);
        const struct of_relation *r = t->relations;
        while (r->key && strcmp(r->key, edges[i].key) != 0) {
            r++;
        }
        assert_non_null(r->key);
        char name[128];
        bool self = false;
        (void)of_relation_edge(pco, t, r, name, &self);
        if (edges[i].name) {
            assert_string_equal(name, edges[i].name);
            assert_int_equal(self, edges[i].self_is_source);
        }
        const struct of_type_sql *s = of_type_sql(t);
        assert_true(s->has_edges);
        assert_non_null(strstr(s->create.text, name));
        assert_non_null(strstr(s->edges.text, name));
    }
}

static void every_entity_type_has_its_statements(void **state)
{
    (void)state;
    for (const struct of_type *t = pco->types; t->name; t++) {
        const struct of_type_sql *s = of_type_sql(t);
        assert_non_null(s);
        assert_ptr_equal(s->type, t);
        if (t->kind != OF_KIND_ENTITY) {
            assert_null(s->entity);
            assert_null(s->create.text);
            continue;
        }
        assert_string_equal(s->entity->tag, t->entity);
        assert_non_null(s->create.text);
        assert_non_null(s->load.text);
        assert_non_null(s->update.text);
        assert_non_null(s->again.text);
        assert_non_null(s->remove.text);
        assert_non_null(s->unlinked.text);
        assert_int_equal(s->edges.text != NULL, s->has_edges);
        assert_int_equal(s->match.text != NULL, t->match == OF_MATCH_CHILD || t->match == OF_MATCH_NAME);
        assert_true(s->n_columns > 0);
        for (int i = 0; i < s->n_columns; i++) {
            OF_CLEANUP(of_freep) char *quoted = of_asprintf("\"%s\"", s->columns[i].name);
            assert_non_null(strstr(s->create.text, quoted));
            assert_non_null(of_model_column(s->entity, s->columns[i].name));
            for (int k = 0; k < i; k++) {
                assert_string_not_equal(s->columns[k].name, s->columns[i].name);
            }
        }
        for (const struct of_field *f = t->fields; f->attr; f++) {
            bool found = !f->column;
            for (int i = 0; i < s->n_columns && !found; i++) {
                found = strcmp(s->columns[i].name, f->column) == 0;
            }
            assert_true(found);
        }
    }
    assert_null(of_type_sql(NULL));
}

/* A session keeps statements by name. */
static void names_are_unique(void **state)
{
    (void)state;
    const char *names[512];
    size_t n = 0;
    for (const struct of_type *t = pco->types; t->name; t++) {
        const struct of_type_sql *s = of_type_sql(t);
        const struct of_sql *all[] = {&s->create, &s->edges, &s->load, &s->update, &s->remove, &s->unlinked, &s->match};
        for (size_t i = 0; i < OF_ARRAY_LEN(all); i++) {
            if (all[i]->text) {
                assert_true(strlen(all[i]->name) < 64);
                names[n++] = all[i]->name;
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(names[i], names[k]);
        }
    }
    assert_true(n > 50);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges_point_as_the_model_says),
        cmocka_unit_test(every_entity_type_has_its_statements),
        cmocka_unit_test(names_are_unique),
    };
    pco = of_adapter_find("pco");
    of_entities_init(pco);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
