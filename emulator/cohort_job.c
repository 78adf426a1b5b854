/* SPDX-License-Identifier: MIT */
/* Cohort downloads: request, status, file, and the signed links of the storage port. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cohort_csv.h"
#include "cohorts.h"
#include "internal.h"
#include "routes.h"

#define LINK_MS (7LL * 86400000) /* life of a request id (cohort API docs) */

typedef struct emu_job {
    char id[13];
    char cohort[64];
    int64_t asked_ms, ready_ms;
    bool props;
    char **keys; /* property columns; none with props: all */
    size_t key_n;
} emu_job;

struct emu_busy {
    char id[64];
    int64_t until_ms;
};

void emu_cohorts_init(twe *e)
{
    pthread_mutex_init(&e->jobs.mu, NULL);
}

static void job_clear(emu_job *j)
{
    for (size_t i = 0; i < j->key_n; i++)
        free(j->keys[i]);
    free(j->keys);
}

void emu_cohorts_reset(twe *e)
{
    pthread_mutex_lock(&e->jobs.mu);
    for (size_t i = 0; i < e->jobs.n; i++)
        job_clear(&e->jobs.list[i]);
    e->jobs.n = e->jobs.busy_n = 0;
    pthread_mutex_unlock(&e->jobs.mu);
}

void emu_cohorts_free(twe *e)
{
    emu_cohorts_reset(e);
    free(e->jobs.list);
    free(e->jobs.busy);
    pthread_mutex_destroy(&e->jobs.mu);
}

/* @locks needs the jobs' lock. NULL when out of memory. */
static struct emu_busy *busy_slot(emu_jobs *jobs, emu_str id, int64_t now)
{
    struct emu_busy *slot = NULL;

    for (size_t i = 0; i < jobs->busy_n; i++) {
        if (emu_str_is(id, jobs->busy[i].id))
            return &jobs->busy[i];
        if (jobs->busy[i].until_ms <= now)
            slot = &jobs->busy[i]; /* free for another */
    }
    if (!slot && jobs->busy_n == jobs->busy_cap) {
        size_t cap = jobs->busy_cap ? jobs->busy_cap * 2 : 8;
        struct emu_busy *grown = realloc(jobs->busy, cap * sizeof(*grown));

        if (!grown)
            return NULL;
        jobs->busy = grown;
        jobs->busy_cap = cap;
    }
    slot = slot ? slot : &jobs->busy[jobs->busy_n++];
    *slot = (struct emu_busy){.until_ms = now};
    memcpy(slot->id, id.s, id.n);
    return slot;
}

bool emu_cohort_claim(twe *e, emu_str id)
{
    int64_t now = emu_now_ms(e), lasts = EMU_SW(e, cohort_write_ms);
    struct emu_busy *slot;
    bool claimed = true;

    pthread_mutex_lock(&e->jobs.mu);
    slot = lasts && id.n < sizeof(slot->id) ? busy_slot(&e->jobs, id, now) : NULL;
    if (slot) {
        claimed = slot->until_ms <= now;
        if (claimed)
            slot->until_ms = now + lasts;
    }
    pthread_mutex_unlock(&e->jobs.mu);
    return claimed;
}

/* --- step 1: request --- */

static bool take_keys(emu_req *r, emu_job *j)
{
    for (;;) {
        emu_str key = emu_form_nth(&r->arena, r->query, "propKeys", j->key_n);
        char **grown;

        if (!key.s)
            return true;
        grown = realloc(j->keys, (j->key_n + 1) * sizeof(*grown));
        if (!grown)
            return false;
        j->keys = grown;
        j->keys[j->key_n] = emu_strdup_n(key.s, key.n);
        if (!j->keys[j->key_n])
            return false;
        j->key_n++;
    }
}

static int running(emu_jobs *jobs, int64_t now)
{
    int n = 0;

    for (size_t i = 0; i < jobs->n; i++)
        n += jobs->list[i].ready_ms > now;
    return n;
}

/* Jobs whose link has ended are not kept: an emulator may run for long. */
static void drop_ended(emu_jobs *jobs, int64_t now)
{
    size_t n = 0;

    for (size_t i = 0; i < jobs->n; i++) {
        if (now - jobs->list[i].asked_ms < LINK_MS)
            jobs->list[n++] = jobs->list[i];
        else
            job_clear(&jobs->list[i]);
    }
    jobs->n = n;
}

static bool push(emu_jobs *jobs, const emu_job *j)
{
    if (jobs->n == jobs->cap) {
        size_t cap = jobs->cap ? jobs->cap * 2 : 16;
        emu_job *grown = realloc(jobs->list, cap * sizeof(*grown));

        if (!grown)
            return false;
        jobs->list = grown;
        jobs->cap = cap;
    }
    jobs->list[jobs->n++] = *j;
    return true;
}

void emu_do_cohort_request(emu_req *r)
{
    emu_str id = emu_path_part(r, 4), props = emu_query(r, "props");
    twe *e = r->e;
    emu_cohort c;
    emu_job j = {0};
    bool taken, ok = false;

    if (!emu_cohort_find(r, id, &c) || !c.published || c.id.n >= sizeof(j.cohort)) {
        emu_dash_error(r, 404, "Cohort not found");
        return;
    }
    if (props.s && !emu_str_is(props, "0") && !emu_str_is(props, "1")) {
        emu_dash_error(r, 400, "Argument props must be an int");
        return;
    }
    j.props = emu_str_is(props, "1");
    j.asked_ms = emu_now_ms(e);
    j.ready_ms = j.asked_ms + EMU_SW(e, job_ms);
    emu_random_id(j.id, 12);
    memcpy(j.cohort, c.id.s, c.id.n);
    pthread_mutex_lock(&e->jobs.mu);
    drop_ended(&e->jobs, j.asked_ms);
    taken = emu_download_take(e, running(&e->jobs, j.asked_ms));
    if (taken)
        ok = take_keys(r, &j) && push(&e->jobs, &j);
    pthread_mutex_unlock(&e->jobs.mu);
    if (!taken) {
        emu_dash_error(r, 429, "Too Many Requests: Exceeded cohort download limit");
    } else if (!ok) {
        job_clear(&j);
        emu_dash_error(r, 500, "Out of memory");
    } else {
        emu_buf_fmt(&r->out, "{\"request_id\":\"%s\",\"cohort_id\":\"%s\"}", j.id,
                    j.cohort);
        emu_reply(r, 202, EMU_JSON_UTF8);
    }
}

/* --- step 2: status --- */

/* A copy whose keys live in r's arena. */
static bool find_job(emu_req *r, emu_str id, emu_job *out)
{
    emu_jobs *jobs = &r->e->jobs;
    int64_t now = emu_now_ms(r->e);
    bool found = false;

    pthread_mutex_lock(&jobs->mu);
    for (size_t i = 0; i < jobs->n && !found; i++) {
        emu_job *j = &jobs->list[i];

        found = emu_str_is(id, j->id) && now - j->asked_ms < LINK_MS;
        if (!found)
            continue;
        *out = *j;
        out->keys = emu_arena_alloc(&r->arena, (j->key_n + 1) * sizeof(*out->keys));
        for (size_t k = 0; out->keys && k < j->key_n; k++)
            out->keys[k] =
                (char *)(uintptr_t)emu_arena_copy(&r->arena, emu_str_of(j->keys[k])).s;
        found = out->keys != NULL;
    }
    pthread_mutex_unlock(&jobs->mu);
    return found;
}

static bool is_done(emu_req *r, const emu_job *j)
{
    return emu_now_ms(r->e) >= j->ready_ms && EMU_SW(r->e, job_status) != 2;
}

void emu_do_cohort_status(emu_req *r)
{
    int64_t mood = EMU_SW(r->e, job_status);
    emu_job j;
    bool done;

    if (!find_job(r, emu_path_part(r, 4), &j)) {
        emu_dash_error(r, 404, "Request not found");
        return;
    }
    if (mood == 3) {
        emu_reply_z(r, 500, "text/html",
                    "<html><body>Internal Server Error</body></html>");
        return;
    }
    done = is_done(r, &j);
    emu_buf_fmt(&r->out,
                "{\"request_id\":\"%s\",\"cohort_id\":\"%s\",\"async_status\":\"%s\"}",
                j.id, j.cohort,
                !done       ? "JOB INPROGRESS"
                : mood == 1 ? "JOB FAILED"
                            : "JOB COMPLETED");
    emu_reply(r, done ? 200 : 202, EMU_JSON_UTF8);
}

/* --- step 3: file --- */

static void sign(twe *e, const char *id, const char *expires, char hex[65])
{
    unsigned char digest[32];
    emu_buf b = {0};

    emu_buf_fmt(&b, "%s\n%s", id, expires);
    emu_hmac_sha256((emu_str){(const char *)e->storage_secret, sizeof(e->storage_secret)},
                    (emu_str){b.p, b.n}, digest);
    emu_hex(hex, digest, 32);
    emu_buf_free(&b);
}

static void redirect(emu_req *r, const emu_job *j)
{
    char expires[24], signature[65];
    int64_t until_ms = emu_now_ms(r->e) + EMU_SW(r->e, cohort_link_ms);
    emu_buf url = {0};

    snprintf(expires, sizeof(expires), "%lld", (long long)until_ms);
    sign(r->e, j->id, expires, signature);
    emu_buf_fmt(&url, "%s/cohorts/%s.csv?expires=%s&signature=%s", r->e->storage_url,
                j->id, expires, signature);
    emu_header(r, "Location", (emu_str){url.p, url.n});
    emu_buf_free(&url);
    emu_reply(r, 302, NULL);
}

static void send_file(emu_req *r, const emu_job *j)
{
    emu_cohort c;

    if (!emu_cohort_find(r, emu_str_of(j->cohort), &c))
        emu_dash_error(r, 404, "Cohort not found");
    else if (!emu_csv_start(r, &c, j->props, j->keys, j->key_n))
        emu_dash_error(r, 500, "Out of memory");
}

void emu_do_cohort_file(emu_req *r)
{
    int64_t how = EMU_SW(r->e, cohort_redirect);
    emu_cohort c;
    emu_job j;

    if (!find_job(r, emu_path_part(r, 4), &j))
        emu_dash_error(r, 404, "Request not found");
    else if (!is_done(r, &j) || EMU_SW(r->e, job_status) == 1)
        emu_dash_error(r, 400, "Request is not completed");
    else if (!emu_cohort_find(r, emu_str_of(j.cohort), &c))
        emu_dash_error(r, 404, "Cohort not found");
    else if (how == 1 || (how == 0 && c.size * (j.props ? 100 : 40) >
                                          EMU_SW(r->e, cohort_inline_bytes)))
        redirect(r, &j); /* some 40 bytes a row, 100 with properties */
    else
        send_file(r, &j);
}

/* --- the storage port --- */

static void storage_error(emu_req *r, int status, const char *code, const char *message)
{
    r->out.n = 0;
    emu_buf_fmt(&r->out,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code>"
                "<Message>%s</Message></Error>",
                code, message);
    emu_reply(r, status, "application/xml");
}

void emu_do_storage(emu_req *r)
{
    emu_str file = emu_path_part(r, 1), expires = emu_query(r, "expires");
    emu_str signature = emu_query(r, "signature");
    char good[65];
    emu_job j;

    if (emu_header_of(r, "Authorization").s) {
        storage_error(r, 400, "InvalidArgument",
                      "Only one auth mechanism allowed; only the signature query string "
                      "parameter or the Authorization header should be specified");
        return;
    }
    if (!emu_str_is(r->method, "GET") || file.n < 5 || !expires.s || !signature.s) {
        storage_error(r, 403, "AccessDenied", "Access Denied");
        return;
    }
    file.n -= 4;
    file = emu_arena_copy(&r->arena, file);
    sign(r->e, file.s, expires.s, good);
    if (!emu_same_secret(signature, emu_str_of(good)))
        storage_error(r, 403, "SignatureDoesNotMatch", "The signature did not match");
    else if (strtoll(expires.s, NULL, 10) < emu_now_ms(r->e))
        storage_error(r, 403, "AccessDenied", "Request has expired");
    else if (!find_job(r, file, &j))
        storage_error(r, 404, "NoSuchKey", "The specified key does not exist.");
    else
        send_file(r, &j);
}
