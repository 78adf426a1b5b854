/* SPDX-License-Identifier: MIT */
/* Tracks events as a case on standard input says, notes each before and after, tells the end. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tidewheel/tidewheel.h>

enum { PAIRS = 64 };

static struct pair {
    char *name, *value;
} pairs[PAIRS];
static size_t pair_count;

static void fail(const char *what, tw_error *err)
{
    fprintf(stderr, "driver: %s: %s\n", what, err != NULL ? tw_error_message(err) : "");
    exit(2);
}

static void read_case(void)
{
    static char text[65536];
    size_t n = fread(text, 1, sizeof(text) - 1, stdin);
    char *line = text;

    text[n] = '\0';
    while (pair_count < PAIRS && *line != '\0') {
        char *end = strchr(line, '\n'), *tab = strchr(line, '\t');

        if (end == NULL || tab == NULL || tab > end)
            fail("a line of the case had no tab or no end", NULL);
        *end = *tab = '\0';
        pairs[pair_count].name = line;
        pairs[pair_count++].value = tab + 1;
        line = end + 1;
    }
}

static const char *text_of(const char *name)
{
    for (size_t i = 0; i < pair_count; i++)
        if (strcmp(pairs[i].name, name) == 0)
            return pairs[i].value;
    return "";
}

static int64_t number_of(const char *name)
{
    return strtoll(text_of(name), NULL, 10);
}

static int64_t ms_of(const char *name)
{
    return (int64_t)(strtod(text_of(name), NULL) * 1000);
}

/* The type of an option is what the table of options says. */
static void set_option(tw_config *cfg, const char *name, const char *value)
{
    double real = strtod(value, NULL);
    tw_error *err = NULL;

    if (tw_config_set_string(cfg, name, value, strlen(value), NULL) != TW_OK &&
        (strcmp(value, "True") != 0 || tw_config_set_bool(cfg, name, 1, NULL) != TW_OK) &&
        (strchr(value, '.') != NULL || /* half a second is not none */
         tw_config_set_int(cfg, name, strtoll(value, NULL, 10), NULL) != TW_OK) &&
        tw_config_set_real(cfg, name, real, &err) != TW_OK)
        fail(name, err);
}

static tw_client *make_client(void)
{
    tw_config *cfg;
    tw_client *cl;
    tw_error *err = NULL;

    if (tw_config_new(&cfg, &err) != TW_OK)
        fail("config", err);
    set_option(cfg, "api_key", text_of("api_key"));
    set_option(cfg, "base_url", text_of("url"));
    if (tw_config_set_bool(cfg, "outcomes", 1, &err) != TW_OK)
        fail("outcomes", err);
    for (size_t i = 0; i < pair_count; i++)
        if (strncmp(pairs[i].name, "option.", 7) == 0)
            set_option(cfg, pairs[i].name + 7, pairs[i].value);
    if (tw_client_new(&cl, cfg, &err) != TW_OK)
        fail("client", err);
    tw_config_free(cfg);
    return cl;
}

static void put_text(tw_json_writer *wr, const char *key, const char *text)
{
    tw_json_put_key(wr, key, strlen(key), -1, 0);
    tw_json_put_string(wr, text, strlen(text), -1, 0);
}

static void put_operation(tw_json_writer *wr, const char *operation, const char *property,
                          int64_t n)
{
    tw_json_put_key(wr, operation, strlen(operation), -1, 0);
    tw_json_put_object(wr);
    tw_json_put_key(wr, property, strlen(property), -1, 0);
    tw_json_put_int(wr, n);
    tw_json_put_object_end(wr);
}

/* Those of a merged event: its user has `odd` after every other event of it, see kit.py. */
static void put_changes(tw_json_writer *wr, int64_t n, int64_t users)
{
    int odd = (n / users + n % users) % 2 != 0;

    tw_json_put_key(wr, "$set", 4, -1, 0);
    tw_json_put_object(wr);
    tw_json_put_key(wr, "latest", 6, -1, 0);
    tw_json_put_int(wr, n);
    if (odd) {
        tw_json_put_key(wr, "odd", 3, -1, 0);
        tw_json_put_int(wr, n);
    }
    tw_json_put_object_end(wr);
    if (!odd)
        put_operation(wr, "$unset", "odd", 1);
    put_operation(wr, "$setOnce", "first", n);
}

static int track(tw_client *cl, const char *id, int64_t n, int64_t users)
{
    char user[64], text[256];
    tw_event *ev;
    tw_json_writer *wr;
    int rc = tw_event_begin(&ev, cl, NULL);

    if (rc != TW_OK)
        return rc;
    snprintf(user, sizeof(user), "user-%05" PRId64, n % users);
    snprintf(text, sizeof(text), "%s:%" PRId64, id, n * n);
    wr = tw_event_writer(ev);
    tw_json_put_object(wr);
    put_text(wr, "event_type",
             number_of("identify") || number_of("changes") ? "$identify" : "fault");
    put_text(wr, number_of("devices") ? "device_id" : "user_id", user);
    put_text(wr, "insert_id", id);
    tw_json_put_key(wr, "user_properties", 15, -1, 0);
    tw_json_put_object(wr);
    if (number_of("identify"))
        put_operation(wr, "$add", "visits", 1);
    if (number_of("changes"))
        put_changes(wr, n, users);
    tw_json_put_object_end(wr);
    if (!number_of("changes")) {
        tw_json_put_key(wr, "event_properties", 16, -1, 0);
        tw_json_put_object(wr);
        put_text(wr, "text", text);
        tw_json_put_object_end(wr);
    }
    tw_json_put_object_end(wr);
    rc = tw_event_commit(ev, NULL);
    while (rc == TW_AGAIN) {
        rc = tw_event_wait(ev, NULL);
        if (rc == TW_OK || rc == TW_INTERRUPTED)
            rc = tw_event_commit(ev, NULL);
        else
            tw_event_abort(ev);
    }
    return rc;
}

static void note(int fd, const char *kind, const char *id)
{
    char line[256];
    int n = snprintf(line, sizeof(line), "%s %s\n", kind, id);

    if (write(fd, line, (size_t)n) != n)
        fail("the notes could not be written", NULL);
}

enum { CODES = 64 };

static long refusals[CODES]; /* by the code of the error, without its sign */

static void track_all(tw_client *cl)
{
    int fd = open(text_of("notes"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    int64_t first = number_of("first"), users = number_of("users");
    int rc;

    if (fd < 0)
        fail("the notes could not be opened", NULL);
    for (int64_t n = first; n < first + number_of("events"); n++) {
        char id[128];

        snprintf(id, sizeof(id), "%s-%" PRId64, text_of("run"), n);
        note(fd, "call", id);
        rc = track(cl, id, n, users);
        note(fd, rc == TW_OK ? "ok" : "no", id);
        if (rc != TW_OK && -rc < CODES)
            refusals[-rc]++;
    }
    close(fd);
}

static int flush(tw_client *cl)
{
    const tw_reply *rsp;
    tw_job *job;
    int rc = number_of("drain") ? tw_drain_start(&job, cl, NULL, NULL)
                                : tw_flush_start(&job, cl, NULL, NULL);

    if (rc != TW_OK)
        return rc;
    while ((rc = tw_job_wait(job, ms_of("flush"))) == TW_INTERRUPTED)
        ;
    if (rc == TW_OK)
        rc = tw_job_result(&rsp, job, NULL);
    tw_job_unref(job);
    return rc == TW_AGAIN ? TW_E_TIMEOUT : rc;
}

static void print_rejected(tw_client *cl)
{
    tw_rejection *rejection;
    const char *comma = "";

    printf(",\"rejected\":[");
    while (tw_rejection_next(&rejection, cl, NULL) == TW_OK) {
        size_t n;
        const char *event = tw_rejection_event(rejection, &n);
        const char *id = memmem(event, n, "\"insert_id\":\"", 13);

        if (id == NULL)
            fail("a rejection had no insert_id", NULL);
        id += 13;
        printf("%s\"%.*s\"", comma, (int)strcspn(id, "\""), id);
        comma = ",";
        tw_rejection_free(rejection);
    }
    printf("]");
}

static void print_ends(tw_client *cl)
{
    tw_event_outcome *outcome;
    const char *comma = "";

    printf(",\"ends\":[");
    while (tw_event_outcome_next(&outcome, cl, NULL) == TW_OK) {
        const char *state = tw_event_outcome_state(outcome);

        printf("%s[\"%s\",\"%s\",\"%s\"]", comma, tw_event_outcome_insert_id(outcome),
               state,
               strcmp(state, "merged") == 0 ? tw_event_outcome_reason(outcome) : "");
        comma = ",";
        tw_event_outcome_free(outcome);
    }
    printf("]");
}

static void print_refusals(void)
{
    const char *comma = "";

    printf(",\"refusals\":{");
    for (int code = 1; code < CODES; code++) {
        if (refusals[code] == 0)
            continue;
        printf("%s\"%s\":%ld", comma, tw_code_name(-code), refusals[code]);
        comma = ",";
    }
    printf("}");
}

static void print_stats(tw_client *cl)
{
    tw_stats s = TW_STATS_INIT;

    if (tw_client_stats(cl, &s) != TW_OK)
        fail("stats", NULL);
    printf(",\"stats\":{\"accepted\":%" PRIu64 ",\"stored\":%" PRIu64
           ",\"rejected\":%" PRIu64 ",\"uncertain\":%" PRIu64 ",\"expired\":%" PRIu64
           ",\"dropped\":%" PRIu64 ",\"waiting\":%" PRIu64 ",\"requests\":%" PRIu64
           ",\"retries\":%" PRIu64 ",\"paused\":%" PRIu64 ",\"recovered\":%" PRIu64
           ",\"lost\":%" PRIu64 ",\"merged\":%" PRIu64 ",\"clock_suspect\":%" PRIu64,
           s.accepted, s.stored, s.rejected, s.uncertain, s.expired, s.dropped, s.waiting,
           s.requests, s.retries, s.paused, s.recovered, s.lost, s.merged,
           s.clock_suspect);
    printf("}");
}

int main(void)
{
    tw_client *cl;
    int flushed, closed;

    read_case();
    cl = make_client();
    track_all(cl);
    flushed = flush(cl);
    while ((closed = tw_client_close(cl, ms_of("close"), NULL)) == TW_INTERRUPTED)
        ;
    printf("{\"flush\":\"%s\",\"close\":\"%s\"", tw_code_name(flushed),
           tw_code_name(closed));
    print_refusals();
    print_stats(cl);
    print_rejected(cl);
    print_ends(cl);
    printf("}\n");
    tw_client_free(cl);
    return 0;
}
