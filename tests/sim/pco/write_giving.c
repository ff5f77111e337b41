/* SPDX-License-Identifier: Apache-2.0 */
/* Writing the types of the groups and giving products. */
#include "gen.h"
#include "write.h"

#include <stdlib.h>
#include <string.h>

/* --- Group and Membership --- */

static void group_defaults(struct sim_write *w) /* only somebody at the church makes one */
{
    static const int no[] = {SIM_GROUP_CHAT_ENABLED, SIM_GROUP_CONFIDENTIAL, SIM_GROUP_LEADERS_SEARCH,
                             SIM_GROUP_CAN_CONVERSE, SIM_GROUP_MEMBERSHIPS_COUNT};

    for (size_t i = 0; i < SIM_COUNT(no); i++) {
        w->vals[no[i]].i = 0;
    }
    w->vals[SIM_GROUP_EVENTS_VISIBILITY].s = "members";
    w->vals[SIM_GROUP_LOCATION_TYPE].s = "physical";
    w->vals[SIM_GROUP_WIDGET_STATUS].s = "{}";
}

static void group_check(struct sim_write *w)
{
    sim_require_text(w, SIM_GROUP_NAME);
}

static void group_remove(struct sim_write *w)
{
    sim_remove_all(&w->c, &w->rec->backs[SIM_B_GROUP_MEMBERS]);
    sim_rec_remove(w->c.org, w->rec);
}

static const struct sim_write_link group_links[] = {
    {"group_type", SIM_T_GTYPE, SIM_R_GROUP_TYPE, 0},
};

static void member_defaults(struct sim_write *w)
{
    w->vals[SIM_MEMBER_ROLE].s = "member";
    w->vals[SIM_MEMBER_JOINED_AT].i = w->c.now;
}

static void member_check(struct sim_write *w)
{
    static const char *const roles[] = {"member", "leader", NULL};
    struct sim_rec *person = w->refs[SIM_R_MEMBER_PERSON];

    sim_require_text(w, SIM_MEMBER_ROLE);
    sim_require_one_of(w, SIM_MEMBER_ROLE, roles);
    if (person && !w->rec &&
        sim_is_member(person, SIM_B_PERSON_MEMBER, SIM_R_MEMBER_GROUP, w->refs[SIM_R_MEMBER_GROUP])) {
        sim_refuse(w, "person", "has already been taken");
    }
}

static void member_after(struct sim_write *w)
{
    struct sim_rec *group = w->rec->refs[SIM_R_MEMBER_GROUP];

    group->vals[SIM_GROUP_MEMBERSHIPS_COUNT].i = group->backs[SIM_B_GROUP_MEMBERS].n;
    sim_rec_touched(w->c.org, group);
}

static void member_remove(struct sim_write *w)
{
    sim_remove_member(&w->c, w->rec);
}

static const struct sim_write_link member_links[] = {
    {"person", SIM_T_PERSON, SIM_R_MEMBER_PERSON, SIM_LINK_REQUIRED | SIM_LINK_CREATE_ONLY},
};

/* --- Fund and PaymentSource --- */

static void unique_name(struct sim_write *w, int attr)
{
    const struct sim_vec *all = &w->c.org->stores[w->how->type].by_id;
    char mine[512], other[512];

    sim_require_text(w, attr);
    sim_fold(w->vals[attr].s ? w->vals[attr].s : "", mine, sizeof mine);
    for (uint32_t i = 0; i < all->n; i++) {
        sim_fold(all->v[i]->vals[attr].s ? all->v[i]->vals[attr].s : "", other, sizeof other);
        if (all->v[i] != w->rec && *mine && !strcmp(mine, other)) {
            sim_refuse(w, "name", "has already been taken");
            return;
        }
    }
}

static void fund_defaults(struct sim_write *w)
{
    w->vals[SIM_FUND_DEFAULT].i = 0;
    w->vals[SIM_FUND_DELETABLE].i = 1;
    w->vals[SIM_FUND_COLOR].s = "#b0b0b0";
}

static void fund_check(struct sim_write *w)
{
    static const char *const visibility[] = {"everywhere", "admin_only", "nowhere", "hidden", NULL};
    const char *description = w->vals[SIM_FUND_DESCRIPTION].s;

    unique_name(w, SIM_FUND_NAME);
    sim_require_text(w, SIM_FUND_VISIBILITY);
    sim_require_one_of(w, SIM_FUND_VISIBILITY, visibility);
    if (description && strlen(description) > 255) {
        sim_refuse(w, "description", "is too long (maximum is 255 characters)");
    }
}

static bool in_use(struct sim_write *w, enum sim_type by, int slot)
{
    const struct sim_vec *all = &w->c.org->stores[by].by_id;

    for (uint32_t i = 0; i < all->n; i++) {
        if (all->v[i]->refs[slot] == w->rec) {
            return true;
        }
    }
    return false;
}

static void fund_remove(struct sim_write *w)
{
    if (w->rec->vals[SIM_FUND_DEFAULT].i == 1 || in_use(w, SIM_T_DESIG, SIM_R_DESIG_FUND)) {
        sim_refuse(w, "base", "Fund cannot be deleted");
        return;
    }
    sim_rec_remove(w->c.org, w->rec);
}

static void source_defaults(struct sim_write *w)
{
    w->vals[SIM_SOURCE_TYPE].s = "direct_from_donor";
}

static void source_check(struct sim_write *w)
{
    static const char *const types[] = {"direct_from_donor", "donor_advised_fund", "qualified_charitable_distribution",
                                        NULL};

    unique_name(w, SIM_SOURCE_NAME);
    sim_require_one_of(w, SIM_SOURCE_TYPE, types);
}

static void source_remove(struct sim_write *w)
{
    if (in_use(w, SIM_T_DONATION, SIM_R_DONATION_SOURCE)) {
        sim_refuse(w, "base", "Payment source cannot be deleted");
        return;
    }
    sim_rec_remove(w->c.org, w->rec);
}

/* --- Batch and Donation --- */

static void batch_defaults(struct sim_write *w)
{
    const struct sim_vec *people = &w->c.org->stores[SIM_T_PERSON].by_id;
    union sim_val *v = w->vals;

    v[SIM_BATCH_STATUS].s = "in_progress";
    v[SIM_BATCH_TOTAL_CENTS].i = v[SIM_BATCH_DONATIONS_COUNT].i = 0;
    v[SIM_BATCH_TOTAL_CURRENCY].s = "USD";
    w->refs[SIM_R_BATCH_OWNER] = people->n ? people->v[0] : NULL; /* whose token it is */
}

static void batch_remove(struct sim_write *w)
{
    struct sim_vec *donations = &w->rec->backs[SIM_B_BATCH_DONATIONS];

    if (strcmp(w->rec->vals[SIM_BATCH_STATUS].s, "in_progress") != 0) {
        sim_refuse(w, "base", "Batch has already been committed");
        return;
    }
    while (donations->n) {
        sim_remove_donation(&w->c, donations->v[donations->n - 1]);
    }
    sim_rec_remove(w->c.org, w->rec);
}

static void donation_defaults(struct sim_write *w)
{
    union sim_val *v = w->vals;

    v[SIM_DONATION_RECEIVED_AT].i = w->c.now;
    v[SIM_DONATION_STATUS].s = "pending";
    v[SIM_DONATION_AMOUNT_CENTS].i = v[SIM_DONATION_FEE_CENTS].i = 0;
    v[SIM_DONATION_AMOUNT_CURRENCY].s = v[SIM_DONATION_FEE_CURRENCY].s = "USD";
    v[SIM_DONATION_FEE_COVERED].i = v[SIM_DONATION_REFUNDED].i = v[SIM_DONATION_REFUNDABLE].i = 0;
}

static const cJSON *fund_of(const cJSON *designation)
{
    const cJSON *fund = cJSON_GetObjectItemCaseSensitive(
        cJSON_GetObjectItemCaseSensitive(designation, "relationships"), "fund");

    return cJSON_GetObjectItemCaseSensitive(fund, "data");
}

static const cJSON *cents_of(const cJSON *designation)
{
    return cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(designation, "attributes"),
                                            "amount_cents");
}

static bool is_designation(const cJSON *item)
{
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(item, "type");

    return cJSON_IsString(type) && !strcmp(type->valuestring, "Designation");
}

/* The designation of this gift that the item's id names; NULL: it has no id or a wrong one. */
static struct sim_rec *existing_designation(struct sim_write *w, const cJSON *item)
{
    struct sim_rec *d = sim_write_target(w, SIM_T_DESIG, cJSON_GetObjectItemCaseSensitive(item, "id"));

    return d && w->rec && d->refs[SIM_R_DESIG_DONATION] == w->rec ? d : NULL;
}

static void check_designations(struct sim_write *w)
{
    const cJSON *item;
    int n = 0;

    cJSON_ArrayForEach(item, w->included)
    {
        const cJSON *cents = cents_of(item);
        struct sim_rec *old = existing_designation(w, item);

        if (!is_designation(item)) {
            sim_refuse(w, "included", "is invalid");
            continue;
        }
        n++;
        if (cJSON_HasObjectItem(item, "id") && !old) {
            sim_refuse_reference(w, "designation");
        }
        if (!old || cents) {
            if (!cJSON_IsNumber(cents) || cents->valuedouble <= 0) {
                sim_refuse(w, "amount_cents", "must be greater than 0");
            }
        }
        if ((!old || fund_of(item)) && !sim_write_target(w, SIM_T_FUND, fund_of(item))) {
            sim_refuse_reference(w, "fund");
        }
    }
    if (!n && !w->rec) {
        sim_refuse(w, "designations", "can't be blank");
    }
}

static void donation_check(struct sim_write *w)
{
    static const char *const methods[] = {"cash", "check", "card", "ach", NULL};
    union sim_val *v = w->vals;
    const struct sim_rec *source = w->refs[SIM_R_DONATION_SOURCE];

    sim_require_text(w, SIM_DONATION_METHOD);
    sim_require_one_of(w, SIM_DONATION_METHOD, methods);
    if (v[SIM_DONATION_FEE_CENTS].i > 0) {
        sim_refuse(w, "fee_cents", "must be less than or equal to 0");
    }
    if (v[SIM_DONATION_RECEIVED_AT].i == SIM_NULL_INT) {
        v[SIM_DONATION_RECEIVED_AT].i = w->c.now;
    }
    if (v[SIM_DONATION_FEE_CENTS].i == SIM_NULL_INT) {
        v[SIM_DONATION_FEE_CENTS].i = 0;
    }
    if (source && source->text_id && w->ref_given[SIM_R_DONATION_SOURCE]) {
        sim_refuse(w, "payment_source", "is not allowed");
    }
    check_designations(w);
}

static void put_designation(struct sim_write *w, const cJSON *item)
{
    struct sim_rec *d = existing_designation(w, item), *fund = sim_write_target(w, SIM_T_FUND, fund_of(item));
    const cJSON *cents = cents_of(item);
    bool made = !d;

    if (made) {
        d = sim_write_make(&w->c, SIM_T_DESIG);
        d->vals[SIM_DESIG_AMOUNT_CURRENCY].s = "USD";
        d->vals[SIM_DESIG_FEE_CENTS].i = 0;
        sim_rec_set_ref(w->c.org, d, SIM_R_DESIG_DONATION, w->rec);
    }
    if (cJSON_IsNumber(cents)) {
        d->vals[SIM_DESIG_AMOUNT_CENTS].i = (int64_t)cents->valuedouble;
    }
    if (fund) {
        sim_rec_set_ref(w->c.org, d, SIM_R_DESIG_FUND, fund);
        fund->vals[SIM_FUND_DELETABLE].i = 0;
        sim_rec_touched(w->c.org, fund);
    }
    if (made) {
        sim_rec_insert(w->c.org, d);
    }
    sim_rec_touched(w->c.org, d);
}

/* Those with an id are changed; one without an id replaces all that there were. */
static void put_designations(struct sim_write *w)
{
    struct sim_vec *have = &w->rec->backs[SIM_B_DONATION_DESIGS];
    const cJSON *item;
    bool replace = false;
    int64_t total = 0;

    cJSON_ArrayForEach(item, w->included)
    {
        replace = replace || !cJSON_HasObjectItem(item, "id");
    }
    for (uint32_t i = have->n; replace && i > 0; i--) {
        struct sim_rec *d = have->v[i - 1];
        bool named = false;

        cJSON_ArrayForEach(item, w->included)
        {
            named = named || existing_designation(w, item) == d;
        }
        if (!named) {
            sim_rec_remove(w->c.org, d);
        }
    }
    cJSON_ArrayForEach(item, w->included)
    {
        put_designation(w, item);
    }
    for (uint32_t i = 0; i < have->n; i++) {
        total += have->v[i]->vals[SIM_DESIG_AMOUNT_CENTS].i;
    }
    w->rec->vals[SIM_DONATION_AMOUNT_CENTS].i = total;
    sim_rec_touched(w->c.org, w->rec);
}

static void donation_after(struct sim_write *w)
{
    struct sim_rec *batch = w->rec->refs[SIM_R_DONATION_BATCH];

    if (cJSON_GetArraySize(w->included)) {
        put_designations(w);
        if (!w->given[SIM_DONATION_UPDATED_AT]) {
            sim_rec_set_time(w->c.org, w->rec, SIM_DONATION_UPDATED_AT, w->c.now);
        }
    }
    if (batch && !strcmp(batch->vals[SIM_BATCH_STATUS].s, "committed")) {
        sim_commit_donation(&w->c, w->rec);
    }
    if (w->changed || cJSON_GetArraySize(w->included)) {
        sim_refresh_batch(&w->c, batch);
    }
}

static void donation_remove(struct sim_write *w)
{
    sim_remove_donation(&w->c, w->rec);
}

static const struct sim_write_link donation_links[] = {
    {"person", SIM_T_PERSON, SIM_R_DONATION_PERSON, 0},
    {"campus", SIM_T_CAMPUS, SIM_R_DONATION_CAMPUS, 0},
    {"payment_source", SIM_T_SOURCE, SIM_R_DONATION_SOURCE, SIM_LINK_REQUIRED},
};

#define ALL_VERBS (SIM_W_CREATE | SIM_W_PATCH | SIM_W_DELETE)
#define LINKS(list) list, SIM_COUNT(list)

const struct sim_write_type sim_write_giving[] = {
    {SIM_T_GROUP, SIM_W_PATCH, SIM_T_NONE, 0, LINKS(group_links), group_defaults, group_check, NULL, group_remove},
    {SIM_T_MEMBER, ALL_VERBS, SIM_T_GROUP, SIM_R_MEMBER_GROUP, LINKS(member_links), member_defaults, member_check,
     member_after, member_remove},
    {SIM_T_FUND, ALL_VERBS, SIM_T_NONE, 0, NULL, 0, fund_defaults, fund_check, NULL, fund_remove},
    {SIM_T_SOURCE, ALL_VERBS, SIM_T_NONE, 0, NULL, 0, source_defaults, source_check, NULL, source_remove},
    {SIM_T_BATCH, ALL_VERBS, SIM_T_NONE, 0, NULL, 0, batch_defaults, NULL, NULL, batch_remove},
    {SIM_T_DONATION, ALL_VERBS, SIM_T_BATCH, SIM_R_DONATION_BATCH, LINKS(donation_links), donation_defaults,
     donation_check, donation_after, donation_remove},
};
const size_t sim_write_giving_count = SIM_COUNT(sim_write_giving);
