/* SPDX-License-Identifier: MIT */
/* The shared library loaded and unloaded while its threads run, and two copies of it in one
 * process. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tidewheel/tidewheel.h>

enum { LOADS = 50 };

/* What the tests call, of one copy. */
typedef struct library {
    void *handle;
    int (*config_new)(tw_config **, tw_error **);
    int (*config_set)(tw_config *, const char *, const char *, size_t, tw_error **);
    void (*config_free)(tw_config *);
    int (*client_new)(tw_client **, const tw_config *, tw_error **);
    int (*event_begin)(tw_event **, tw_client *, tw_error **);
    tw_json_writer *(*event_writer)(tw_event *);
    int (*put_object)(tw_json_writer *);
    int (*put_key)(tw_json_writer *, const char *, size_t, int64_t, unsigned);
    int (*put_string)(tw_json_writer *, const char *, size_t, int64_t, unsigned);
    int (*put_object_end)(tw_json_writer *);
    int (*event_commit)(tw_event *, tw_error **);
    int (*client_stats)(tw_client *, tw_stats *);
    int (*client_close)(tw_client *, int64_t, tw_error **);
    void (*client_free)(tw_client *);
} library;

/* ISO C has no conversion from an object pointer to a function's; POSIX has the same bytes. */
static void find(void *to, void *handle, const char *name)
{
    void *at = dlsym(handle, name);

    assert_non_null(at);
    memcpy(to, &at, sizeof at);
}

static void library_load(library *lib, const char *path)
{
    lib->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (lib->handle == NULL)
        fail_msg("%s", dlerror());
    find(&lib->config_new, lib->handle, "tw_config_new");
    find(&lib->config_set, lib->handle, "tw_config_set_string");
    find(&lib->config_free, lib->handle, "tw_config_free");
    find(&lib->client_new, lib->handle, "tw_client_new");
    find(&lib->event_begin, lib->handle, "tw_event_begin");
    find(&lib->event_writer, lib->handle, "tw_event_writer");
    find(&lib->put_object, lib->handle, "tw_json_put_object");
    find(&lib->put_key, lib->handle, "tw_json_put_key");
    find(&lib->put_string, lib->handle, "tw_json_put_string");
    find(&lib->put_object_end, lib->handle, "tw_json_put_object_end");
    find(&lib->event_commit, lib->handle, "tw_event_commit");
    find(&lib->client_stats, lib->handle, "tw_client_stats");
    find(&lib->client_close, lib->handle, "tw_client_close");
    find(&lib->client_free, lib->handle, "tw_client_free");
}

static void set(const library *lib, tw_config *cfg, const char *name, const char *text)
{
    assert_int_equal(lib->config_set(cfg, name, text, strlen(text), NULL), TW_OK);
}

/* Nobody listens at port 1: what is tracked stays. */
static tw_client *client_of(const library *lib, const char *spool)
{
    tw_config *cfg;
    tw_client *cl;

    assert_int_equal(lib->config_new(&cfg, NULL), TW_OK);
    set(lib, cfg, "api_key", "emuapikey0123456");
    set(lib, cfg, "base_url", "http://127.0.0.1:1");
    if (spool != NULL)
        set(lib, cfg, "spool", spool);
    assert_int_equal(lib->client_new(&cl, cfg, NULL), TW_OK);
    lib->config_free(cfg);
    return cl;
}

static void track(const library *lib, tw_client *cl)
{
    tw_json_writer *wr;
    tw_event *ev;

    assert_int_equal(lib->event_begin(&ev, cl, NULL), TW_OK);
    wr = lib->event_writer(ev);
    lib->put_object(wr);
    lib->put_key(wr, "event_type", 10, -1, 0);
    lib->put_string(wr, "e", 1, -1, 0);
    lib->put_key(wr, "user_id", 7, -1, 0);
    lib->put_string(wr, "user-0001", 9, -1, 0);
    lib->put_object_end(wr);
    assert_int_equal(lib->event_commit(ev, NULL), TW_OK);
}

static int threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    int n = -2;

    while (readdir(tasks) != NULL)
        n++;
    closedir(tasks);
    return n;
}

/* The last dlclose comes while the I/O thread is inside: its code stays. */
static void unloading_leaves_the_threads_their_code(void **state)
{
    tw_client *clients[LOADS];
    library lib;
    int before;
    int i;

    (void)state;
    /* A sanitizer starts a thread of its own with the first one. */
    library_load(&lib, TW_SHARED_LIBRARY);
    clients[0] = client_of(&lib, NULL);
    track(&lib, clients[0]);
    lib.client_free(clients[0]);
    before = threads();
    for (i = 0; i < LOADS; i++) {
        library_load(&lib, TW_SHARED_LIBRARY);
        clients[i] = client_of(&lib, NULL);
        track(&lib, clients[i]);
        assert_int_equal(dlclose(lib.handle), 0);
        assert_non_null(dlopen(TW_SHARED_LIBRARY, RTLD_NOW | RTLD_NOLOAD));
    }
    assert_int_equal(threads(), before + LOADS);
    library_load(&lib, TW_SHARED_LIBRARY);
    for (i = 0; i < LOADS; i++)
        lib.client_free(clients[i]);
    assert_int_equal(threads(), before);
}

static void two_copies_share_a_folder_and_nothing_else(void **state)
{
    char folder[] = "/tmp/tidewheel-copies-XXXXXX";
    char spool[64], command[512], path[64];
    tw_stats st = TW_STATS_INIT;
    library one, two;
    tw_client *first, *second;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/copy.so", folder);
    snprintf(spool, sizeof spool, "%s/spool", folder);
    snprintf(command, sizeof command, "cp '%s' %s", TW_SHARED_LIBRARY, path);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): a test's own words */
    library_load(&one, TW_SHARED_LIBRARY);
    library_load(&two, path);
    assert_ptr_not_equal(one.client_new, two.client_new);
    first = client_of(&one, spool);
    track(&one, first);
    second = client_of(&two, spool);
    track(&two, second);
    track(&two, second);
    one.client_stats(first, &st);
    assert_int_equal(st.accepted, 1);
    two.client_stats(second, &st);
    assert_int_equal(st.accepted, 2);
    assert_int_equal(st.spool_lanes, 0); /* the other's lane is held */
    one.client_close(first, 0, NULL);
    one.client_free(first);
    two.client_close(second, 0, NULL);
    two.client_free(second);
    first = client_of(&one, spool); /* finds what both left */
    one.client_stats(first, &st);
    assert_int_equal(st.spool_lanes, 2);
    one.client_free(first);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): a test's own words */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unloading_leaves_the_threads_their_code),
        cmocka_unit_test(two_copies_share_a_folder_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
