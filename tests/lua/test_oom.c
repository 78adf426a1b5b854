/* SPDX-License-Identifier: MIT */
/* The module in Lua states that run out of memory at each of their allocations in
 * turn. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include <tidewheel/sys/alloc.h>

int luaopen_tidewheel_core(lua_State *L);

/* ---- Lua's memory: from the n-th allocation on there is none ----------------------- */

typedef struct lua_heap {
    long left; /* allocations until none is left; negative: there is always some */
    int failed;
} lua_heap;

static void *lua_allocate(void *ctx, void *old, size_t old_size, size_t size)
{
    lua_heap *heap = ctx;

    if (size == 0) {
        free(old);
        return NULL;
    }
    /* Lua takes for granted that shrinking works. */
    if (heap->left >= 0 && (old == NULL || size > old_size)) {
        if (heap->left == 0) {
            heap->failed = 1;
            return NULL;
        }
        heap->left--;
    }
    return realloc(old, size);
}

/* ---- the core's memory: is all of it given back? ----------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long blocks;

static void count(long change)
{
    pthread_mutex_lock(&lock);
    blocks += change;
    if (blocks == 0)
        pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void *core_alloc(void *ctx, size_t size)
{
    void *p = malloc(size);

    (void)ctx;
    if (p != NULL)
        count(1);
    return p;
}

static void *core_resize(void *ctx, void *old, size_t size)
{
    void *p = realloc(old, size);

    (void)ctx;
    if (p != NULL && old == NULL)
        count(1);
    return p;
}

static void core_release(void *ctx, void *old)
{
    (void)ctx;
    free(old);
    count(-1);
}

/* I/O threads end on their own time after their client is gone. */
static int all_given_back(void)
{
    struct timespec until;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 30;
    pthread_mutex_lock(&lock);
    while (blocks != 0 && rc == 0)
        rc = pthread_cond_timedwait(&changed, &lock, &until);
    rc = blocks == 0;
    pthread_mutex_unlock(&lock);
    return rc;
}

/* ---- the program ------------------------------------------------------------------- */

/* Runs without memory failing, up to the functions; nobody listens on the port. */
static const char prepare[] =
    "tw = require 'tidewheel.core'\n"
    "yes, maybe, client, other, text = 0, 0, nil, nil, nil\n"
    "options = { api_key = ('a'):rep(32), secret_key = ('b'):rep(32),\n"
    "  base_url = 'http://127.0.0.1:9',\n"
    "  default = function(v) return { kind = type(v) } end }\n"
    "function run()\n"
    "  client = assert(tw.new(options, function(event) return event end))\n"
    "  local document = tw.json_decode('{\"a\":[1,2.5,\"t\",[],{\"b\":null}],\"long' ..\n"
    "    ('x'):rep(100) .. '\":{\"c\":[true,false]}}')\n"
    "  text = tw.json_encode(document)\n"
    "  tw.json_encode({ f = print, t = { {}, { 1 } } }, options.default)\n"
    "  tw.json_decode '[1,'\n"
    "  tw.json_decoder { fields = { 'a' } } '{\"a\":[1],\"b\":2}'\n"
    "  local large = {}\n"
    "  for i = 1, 300 do large['key' .. i] = { i } end\n"
    "  tw.json_encode(large)\n"
    "  tw.json_encode { 1, nil, 3 }\n"
    "  for i = 1, 3 do\n"
    "    if client:track{ user_id = 'user' .. i, event_type = 'x', event_properties = {\n"
    "      list = { 1, 'two', {} }, hook = print } } then yes = yes + 1 end\n"
    "    client:track{ event_type = {} }\n"
    "  end\n"
    "  -- raised after the event was accepted, where it is: not known here\n"
    "  maybe = 1\n"
    "  local many = client:track_many{ { user_id = 'someone', event_type = 'x',\n"
    "    event_properties = { hook = print } } }\n"
    "  maybe, yes = 0, yes + (many or 0)\n"
    "  client:stats()\n"
    "  client:describe()\n"
    "  local export = client:export{ start = '20260101T00', stop = '20260101T05',\n"
    "    fields = { 'user_id' } }\n"
    "  export:next(0)\n"
    "  export:close()\n"
    "  pcall(client.export, client, { start = 'x', stop = 'y' })\n"
    "  client:flush_start(function() end)\n"
    "  client:flush_start():cancel()\n"
    "  local job = client.cohorts:download('abc', { props = { 'a' } })\n"
    "  job:progress()\n"
    "  job:wait(0)\n"
    "  job:ids()\n"
    "  client.cohorts:upload_start({ name = 'n', app_id = 1, owner = 'o',\n"
    "    id_type = 'BY_USER_ID', ids = { 'a', 'b', 5 } }, function() end)\n"
    "  client:call_start('users.search', { user = 'u' }):cancel()\n"
    "  client:call_start('taxonomy.events', nil, function() end)\n"
    "  client:call_start('users.activity', { amplitude_id = 1, limit = {} })\n"
    "  tw.taxonomy_pull_start(client, 'plan', function() end)\n"
    "  tw.taxonomy_diff('{}', '{\"events\":{\"a\":{\"tags\":[\"x\"]}}}', true)\n"
    "  tw.taxonomy_diff('{}', '[]', false)\n"
    "  client:update(0)\n"
    "  tostring(client) tostring(job) tostring(export)\n"
    "  other = tw.new{ colour = 'blue' }\n"
    "end\n"
    "function check()\n"
    "  if client then\n"
    "    local s = client:stats()\n"
    "    assert(s.accepted == yes or s.accepted == yes + maybe,\n"
    "      s.accepted .. ' accepted, said yes to ' .. yes)\n"
    "    assert(s.accepted == s.stored + s.rejected + s.uncertain + s.expired +\n"
    "      s.dropped + s.waiting)\n"
    "    assert(client:track{ user_id = 'afterwards', event_type = 'x' })\n"
    "  end\n"
    "  local again = tw.json_decode('{\"a\":[1,\"x\",{\"b\":null}]}')\n"
    "  again = assert(tw.json_encode(again))\n"
    "  assert(again == '{\"a\":[1,\"x\",{\"b\":null}]}', again)\n"
    "end\n";

static void fail(lua_State *L, long n, const char *what)
{
    const char *text =
        L != NULL && lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";

    fprintf(stderr, "allocation %ld: %s %s\n", n, what, text);
    exit(1);
}

static void call(lua_State *L, long n, const char *name)
{
    lua_getglobal(L, name);
    if (lua_pcall(L, 0, 0, 0) != 0)
        fail(L, n, name);
}

/* Nonzero once the program has run to its end without needing the n-th allocation. */
static int run_with(long n)
{
    lua_heap heap = {-1, 0};
    lua_State *L = lua_newstate(lua_allocate, &heap);
    int status;

    if (L == NULL)
        exit(1);
    luaL_openlibs(L);
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    lua_pushcfunction(L, luaopen_tidewheel_core);
    lua_setfield(L, -2, "tidewheel.core");
    lua_settop(L, 0);
    if (luaL_loadstring(L, prepare) != 0 || lua_pcall(L, 0, 0, 0) != 0)
        fail(L, n, "prepare");
    lua_getglobal(L, "run");
    heap.left = n;
    status = lua_pcall(L, 0, 0, 0);
    heap.left = -1;
    if (status != 0 && !heap.failed)
        fail(L, n, "raised without need:");
    lua_settop(L, 0);
    call(L, n, "check");
    lua_close(L);
    if (!all_given_back())
        fail(NULL, n, "memory of the core was not given back");
    return status == 0 && !heap.failed;
}

int main(void)
{
    static const tw_allocator counting = {core_alloc, core_resize, core_release, NULL};
    long n = 0;

    tw_set_allocator(&counting);
    while (!run_with(n))
        n++;
    printf("%s: survived the failure of each of %ld allocations\n", LUA_VERSION, n);
    return n > 100 ? 0 : 1;
}
