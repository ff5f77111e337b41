/* SPDX-License-Identifier: Apache-2.0 */
#include "church.h"

#include <stdlib.h>
#include <string.h>

struct sim_settings sim_settings = {
    .orgs = 1,
    .people = 200,
    .seed = 1,
    .limit = 100,
    .period_s = 20,
    .ugly = 1,
    .contacts = 1.7,
    .mark = "",
    .threads = 2,
    .token_life_s = 7200,
    .commit_ms = 500,
};

static struct sim_church *churches;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

void sim_gate_lock(void)
{
    pthread_mutex_lock(&gate);
}

void sim_gate_unlock(void)
{
    pthread_mutex_unlock(&gate);
}

void sim_churches_init(void)
{
    churches = sim_alloc((size_t)sim_settings.orgs * sizeof *churches);
    for (int i = 0; i < sim_settings.orgs; i++) {
        struct sim_church *c = &churches[i];

        pthread_mutex_init(&c->org.lock, NULL);
        c->org.number = i + 1;
        c->org.cfg = (struct sim_gen_config){.seed = sim_settings.seed,
                                             .people = sim_settings.people,
                                             .ugly = sim_settings.ugly,
                                             .contacts = sim_settings.contacts,
                                             .mark = sim_settings.mark};
        c->org.show_after_ms = sim_settings.show_after_ms;
        c->org.show_all_late = sim_settings.show_all_late;
        c->org.respell = sim_settings.respell;
        c->org.commit_ms = sim_settings.commit_ms;
        c->latency_ms = sim_settings.latency_ms;
        c->token_life_s = sim_settings.token_life_s;
        sim_limit_set(c, sim_settings.limit_off, sim_settings.limit, sim_settings.period_s);
        sim_auth_init(c);
    }
}

void sim_churches_done(void)
{
    for (int i = 0; i < sim_settings.orgs; i++) {
        struct sim_church *c = &churches[i];

        sim_org_clear(&c->org);
        pthread_mutex_destroy(&c->org.lock);
        for (int r = 0; r < SIM_CRED_COUNT; r++) {
            free(c->rate[r].ring);
        }
        free(c->tokens);
    }
    free(churches);
    churches = NULL;
    sim_ledger_reset();
}

struct sim_church *sim_church_get(int64_t number)
{
    return number >= 1 && number <= sim_settings.orgs ? &churches[number - 1] : NULL;
}

void sim_gate_arrive(const char *authorization, const char *method, const char *target,
                     bool counted, struct sim_arrival *a)
{
    int64_t now_us;

    sim_gate_lock();
    now_us = sim_mono_us();
    if (counted) {
        sim_auth_check(authorization, now_us, a);
        if (a->church && !a->hint) {
            sim_limit_check(a->church, target, now_us, a);
        }
    }
    if (a->church) {
        a->latency_ms = a->church->latency_ms;
        a->church->inflight++;
        if (a->church->inflight > a->church->max_inflight) {
            a->church->max_inflight = a->church->inflight;
        }
    } else {
        a->latency_ms = sim_settings.latency_ms;
    }
    a->seq = sim_ledger_begin(now_us, a, method, target);
    sim_gate_unlock();
}

void sim_gate_peek(const char *authorization, struct sim_arrival *a)
{
    sim_gate_lock();
    sim_auth_check(authorization, sim_mono_us(), a);
    sim_gate_unlock();
}

void sim_gate_finish(uint64_t seq, const struct sim_end *end, struct sim_church *church)
{
    sim_gate_lock();
    sim_ledger_end(seq, sim_mono_us(), end);
    if (church) {
        church->inflight--;
    }
    sim_gate_unlock();
}
