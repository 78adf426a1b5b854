/* SPDX-License-Identifier: MIT */
/* What the files of the Lua module share. */
#ifndef TW_LUA_LX_H
#define TW_LUA_LX_H

#include <tidewheel/tidewheel.h>

#include "compat.h"

/*
 * No C resource is lost when Lua raises (out of memory, a failing callback): each
 * stands in a userdata before the next call that may raise. A userdata gets its
 * metatable while it is zeroed, "closed", and only then its resource. The two
 * exceptions hold a resource on the C stack alone and make no call that can raise:
 * encoding (lencode.c) and errors (lerror.c).
 */

#define LX_CLIENT "tidewheel.client"
#define LX_COHORTS "tidewheel.cohorts"
#define LX_JOB "tidewheel.job"
#define LX_STREAM "tidewheel.stream"
#define LX_ERROR "tidewheel.error"
#define LX_ARRAY "tidewheel.array"
#define LX_OBJECT "tidewheel.object"

/* ---- the module's own state -------------------------------------------------------- */

/* A member on its way out; see encode_pairs. */
typedef struct lx_key {
    uint64_t head; /* the first bytes of its name, to compare by */
    const char *text;
    size_t size;
    int at; /* where the value is */
} lx_key;

/* First upvalue of every function; its anchor has the LX_ENV_* slots. */
typedef struct lx_env {
    const void
        *array_mt; /* identity of the marker metatables, kept alive by the registry */
    const void *object_mt;
    int has_int64;          /* LX_ENV_INT64 is set */
    tw_json_writer *writer; /* tw.json.encode's */
    int writing;            /* it is in use */
    lx_key *keys;           /* those of the tables being encoded, the innermost last */
    size_t keys_room;
    size_t keys_used;
} lx_env;

enum {
    LX_ENV_STEP = 1, /* a Lua function that does nothing: see lx_let_hooks_run */
    LX_ENV_DECODER,  /* the decoder of small answers */
    LX_ENV_INT64,    /* LuaJIT: function(cdata) -> digits or nil; else nil */
    LX_ENV_PAIRS,    /* lx_list_pairs */
    LX_ENV_ANSWERS   /* the decoder of calls with arguments: without nulls */
};

static inline lx_env *lx_getenv(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

/* Pushes slot `slot` of the module's anchor. */
void lx_push_env(lua_State *L, int slot);

/* An interpreter reacts to Ctrl-C by a debug hook, which fires when Lua code runs:
 * gives it the occasion within a long wait. Raises what the hook raises. */
void lx_let_hooks_run(lua_State *L);

/* Makes a metatable with methods and metamethods, the env (on top, kept) as upvalue of
 * each; leaves the table of methods on top of it. */
void lx_newclass(lua_State *L, const char *name, const luaL_Reg *methods,
                 const luaL_Reg *meta);

/* Any resource without a userdata type of its own. */
typedef struct lx_box {
    void *resource;
    void (*release)(void *resource);
} lx_box;
lx_box *lx_newbox(lua_State *L, void (*release)(void *resource));
/* A zeroed struct of `size` bytes that begins with a box, whose resource it is itself. */
void *lx_newboxed(lua_State *L, size_t size, void (*release)(void *resource));
int lx_open_box(lua_State *L);

/* ---- errors ------------------------------------------------------------------------ */

/* Each takes `err` always. TW_E_INVALID and TW_E_NOMEM are raised by all of them. */

/* Pushes nil and the error table; returns 2. */
int lx_fail(lua_State *L, int code, tw_error *err);
/* Raises the error table. */
int lx_raise(lua_State *L, int code, tw_error *err);
/* Pushes the error table alone. */
void lx_push_error(lua_State *L, int code, tw_error *err);
/* As lx_fail, for an error the binding itself found; TW_AGAIN becomes the code
 * "again", which says that a wait's time was up and that what was waited for goes on. */
int lx_fail_text(lua_State *L, int code, const char *message);
int lx_open_error(lua_State *L);

/* ---- arguments --------------------------------------------------------------------- */

/* A number of seconds at `arg` as milliseconds; -1 for math.huge; `standard` for none. */
int64_t lx_opt_timeout(lua_State *L, int arg, int64_t standard);
/* Raises where the table at `arg` has a key that is not in the NULL-ended list. */
void lx_check_names(lua_State *L, int arg, const char *const *names);
/* Field `name` of the table at `arg`, left on the stack so that the text stays valid:
 * NULL where absent; raises where it is no string or has a NUL inside. */
const char *lx_opt_text(lua_State *L, int arg, const char *name);
int lx_opt_flag(lua_State *L, int arg, const char *name, int standard);
/* A whole number within [min, max] or `standard` where absent. */
int64_t lx_opt_whole(lua_State *L, int arg, const char *name, int64_t standard,
                     int64_t min, int64_t max);
/* Option `fields`, a list of names, as a set {name = true}, pushed; 0 where absent. */
int lx_push_fields(lua_State *L, int arg);
/* Raises unless the value at `arg` is a function or absent; nonzero for a function. */
int lx_opt_callback(lua_State *L, int arg);

/* ---- encoding ---------------------------------------------------------------------- */

/* Stack slots an encoding may need; to be asked for before a resource is held. Most are
 * for the pairs of tables. */
enum { LX_PAIR_SLOTS = 512, LX_ENCODE_STACK = 4 * 80 + LX_PAIR_SLOTS };

typedef struct lx_encoder {
    lx_env *env;
    tw_json_writer *wr;
    int hook;  /* stack index of the `default` function, 0 where there is none */
    int int64; /* stack index of LX_ENV_INT64, 0 where there is none */
    int pairs; /* stack index of LX_ENV_PAIRS */
    int slots; /* left of LX_PAIR_SLOTS */
    unsigned depth;
} lx_encoder;

/* Never raises as long as `hook` is 0. TW_OK, or the writer's code. */
int lx_encode(lua_State *L, lx_encoder *en, int index);
/* The pairs of a table as members of an object that is open already, in byte order of
 * their names. */
int lx_encode_members(lua_State *L, lx_encoder *en, int index);

/* An encoding whose hook may raise, run under lua_pcall. The body sees the caller's
 * stack slots at the same numbers. */
typedef struct lx_encoding {
    lx_encoder en;
    int (*body)(lua_State *L, lx_encoder *en, void *ctx);
    void *ctx;
    int runner; /* stack index of the protected function; 0 without a hook */
    int code;
} lx_encoding;

/* To be called before a resource is held: pushes what running needs and asks for the
 * stack. */
void lx_prepare_encoding(lua_State *L, lx_encoding *run);
/* Nonzero: the hook raised, its error is on top. Else the code is in `run->code`. Raises
 * nothing. */
int lx_run_encoding(lua_State *L, lx_encoding *run);
/* The Lua function behind LX_ENV_PAIRS: table -> {key, value, key, value, ...}. */
int lx_list_pairs(lua_State *L);
void lx_release_keys(lua_State *L, lx_env *env);
int lx_open_json(lua_State *L);

/* ---- decoding ---------------------------------------------------------------------- */

typedef struct lx_decoder lx_decoder;

/* Pushes a decoder. `fields`: stack index of a table {name = true} with the top-level
 * keys that are wanted, 0 for all. */
lx_decoder *lx_newdecoder(lua_State *L, size_t max_bytes, int fields, int drop_null);
/* Decodes one document with the decoder at `index` and pushes its value; on an error
 * pushes nothing and returns its code. */
int lx_decode(lua_State *L, int index, const char *text, size_t size, tw_error **err);
int lx_open_decoder(lua_State *L);

/* ---- clients, jobs, streams -------------------------------------------------------- */

/* What a job's reply is turned into. */
typedef enum lx_result {
    LX_RESULT_REPORT,  /* what became of the events */
    LX_RESULT_COHORTS, /* these four: see lx_push_cohort_answer */
    LX_RESULT_UPLOAD,
    LX_RESULT_ADD,
    LX_RESULT_REMOVE,
    LX_RESULT_RAW,      /* status and body */
    LX_RESULT_CALL,     /* the answer's one form */
    LX_RESULT_DOCUMENT, /* the body's JSON, with its nulls */
    LX_RESULT_STREAM    /* read by ids() or rows() */
} lx_result;

typedef struct lx_job lx_job;

typedef struct lx_client {
    tw_client *cl;   /* NULL: closed */
    tw_client *shut; /* after close: what still answers for numbers and rejections */
    tw_queue *queue; /* of the jobs with a callback; made at first use */
    lx_job *first;   /* jobs with news for update() */
    lx_job *last;
    int hooked;   /* anchor slot LX_CLIENT_DEFAULT is set */
    int prepared; /* LX_CLIENT_PREPARE is set: makes of an event the one to accept */
} lx_client;

enum {
    LX_CLIENT_COHORTS = 1,
    LX_CLIENT_DEFAULT,
    LX_CLIENT_PENDING,
    LX_CLIENT_PREPARE,
    LX_CLIENT_TOLD, /* what is called for each event that ended, by what is written in Lua */
    LX_CLIENT_AREAS /* {name = area}: those written in Lua, as they are asked for */
};

lx_client *lx_check_client(lua_State *L, int arg);
/* Makes the queue for callbacks of this process, where there is none yet: TW_OK or an error. */
int lx_client_queue(lx_client *c, tw_error **err);
/* The client that the cohorts object at `arg` belongs to, which it also pushes. */
lx_client *lx_cohorts_client(lua_State *L, int arg);
/* Pushes what is made of the decoded body on top; 1, or 2 for nil and the error. */
int lx_push_cohort_answer(lua_State *L, lx_result kind);
/* Pushes the part of the numbers that a flush and a close report. */
void lx_push_report(lua_State *L, const tw_stats *stats);
int lx_fail_closed(lua_State *L);
int lx_open_client(lua_State *L);
int lx_open_cohorts(lua_State *L);
extern const luaL_Reg lx_call_methods[];
extern const luaL_Reg lx_taxonomy_functions[];
extern const luaL_Reg lx_event_methods[];
extern const luaL_Reg lx_export_methods[];

struct lx_job {
    tw_job *job; /* NULL: closed */
    lx_client *client;
    lx_result result;
    int callback; /* the anchor has a function: the job is update()'s */
    int queued;   /* stands in the client's list */
    int reading;  /* a stream was made of it */
    lx_job *next;
};

enum { LX_JOB_CLIENT = 1, LX_JOB_CALLBACK };

/* Pushes a job, still closed, of the client at `client`, with the callback at
 * `callback` where that is not 0. */
lx_job *lx_newjob(lua_State *L, int client, lx_result result, int callback);
/* The queue its start function is to be given: NULL for one of its own. */
int lx_job_queue(tw_queue **out, lx_job *j, tw_error **err);
/* After the start: the job on top of the stack as the call's result, or nil and the
 * error. */
int lx_job_started(lua_State *L, lx_job *j, int code, tw_error *err);
/* Waits for news of a job with a queue of its own: TW_OK, or TW_AGAIN when the
 * deadline (from lx_deadline, -1 = none) passed. Raises what the interpreter's hooks
 * raise. */
int lx_wait(lua_State *L, tw_job *job, int64_t end_ms);
int64_t lx_deadline(int64_t timeout_ms);
/* Pushes what a finished job has to say: result, or nil and error. Returns their
 * number. */
int lx_push_result(lua_State *L, lx_job *j);
int lx_open_job(lua_State *L);

typedef enum lx_items {
    LX_ITEMS_EVENTS,
    LX_ITEMS_LINES,
    LX_ITEMS_IDS,
    LX_ITEMS_ROWS
} lx_items;

typedef struct lx_stream {
    tw_job *job; /* NULL: closed, or `ended` */
    tw_block *block;
    lx_items items;
    int ended; /* read to its end */
    int64_t count;
    size_t columns; /* of a CSV; 0 before its header was read */
    size_t column;  /* IDS: where the ids stand */
    tw_csv_cell *cells;
} lx_stream;

enum { LX_STREAM_DECODER = 1, LX_STREAM_COLUMN, LX_STREAM_NAMES, LX_STREAM_CELLS };

/* Pushes a stream, still closed, with an anchor. */
lx_stream *lx_newstream(lua_State *L, lx_items items);
int lx_open_stream(lua_State *L);
int lx_open_spool(lua_State *L);

#endif
