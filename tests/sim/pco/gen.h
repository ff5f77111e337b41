/* SPDX-License-Identifier: Apache-2.0 */
/* The data of a church, reproducible from (seed, number, people). Caller holds org->lock. */
#ifndef PCO_SIM_GEN_H
#define PCO_SIM_GEN_H

#include "store.h"

struct sim_family {
    const char *last_name;
    const char *email; /* shared by all, or NULL */
    int area;          /* shared telephone number, 0 none */
    int line;
    const char *street;
    const struct sim_city *city;
    int64_t campus_slot;
};

struct sim_gen {
    struct sim_org *org;
    struct sim_rng rng;
    int64_t bulk_created; /* the second of the bulk import */
    int64_t bulk_updated;
    int64_t last_created;
    bool live; /* records are added now, one by one, not while generating */
};

/* Makes the data if that has not been done yet. */
void sim_org_ensure(struct sim_org *org);

/* gen.c */
void sim_gen_add(struct sim_gen *g, struct sim_rec *rec);
bool sim_gen_ugly(struct sim_gen *g, double p);
const char *sim_gen_pick(struct sim_gen *g, const char *const *list, size_t n);
struct sim_rec *sim_gen_any(struct sim_gen *g, enum sim_type type); /* NULL when there is none */
int64_t sim_gen_next_id(struct sim_gen *g, enum sim_type type);     /* with gaps */
void sim_gen_references(struct sim_gen *g);
void sim_gen_fields(struct sim_gen *g);

/* gen_people.c */
struct sim_family sim_gen_family(struct sim_gen *g);
struct sim_rec *sim_gen_person(struct sim_gen *g, struct sim_family *family, int64_t created,
                               int64_t updated);
void sim_gen_email(struct sim_gen *g, struct sim_rec *person, const struct sim_family *family,
                   bool primary);
void sim_gen_phone(struct sim_gen *g, struct sim_rec *person, const struct sim_family *family,
                   bool primary);
void sim_gen_address(struct sim_gen *g, struct sim_rec *person, const struct sim_family *family,
                     bool primary);
void sim_gen_datum(struct sim_gen *g, struct sim_rec *person, struct sim_rec *definition);
void sim_gen_people(struct sim_gen *g);
void sim_person_set_name(struct sim_org *org, struct sim_rec *person);

/* gen_groups.c */
void sim_gen_household(struct sim_gen *g, struct sim_rec *const *people, size_t n);
void sim_household_refresh(struct sim_org *org, struct sim_rec *household);
struct sim_rec *sim_gen_hhm(struct sim_gen *g, struct sim_rec *household, struct sim_rec *person);
struct sim_rec *sim_gen_member(struct sim_gen *g, struct sim_rec *group, struct sim_rec *person);
void sim_gen_groups(struct sim_gen *g);
void sim_gen_giving(struct sim_gen *g);
struct sim_rec *sim_gen_donation(struct sim_gen *g, struct sim_rec *batch, struct sim_rec *person,
                                 int64_t created);
void sim_batch_refresh(struct sim_org *org, struct sim_rec *batch);

#endif
