/* SPDX-License-Identifier: MIT */
/* The emulator's state and the contracts between its rooms. */
#ifndef EMU_INTERNAL_H
#define EMU_INTERNAL_H

#include <microhttpd.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "charts.h"
#include "cohorts.h"
#include "emulator.h"
#include "faults.h"
#include "http.h"
#include "journal.h"
#include "ledger.h"
#include "listener.h"
#include "mcp.h"
#include "quota.h"
#include "store.h"
#include "switches.h"
#include "text.h"
#include "throttle.h"
#include "zone.h"

#define EMU_MAX_ITEMS 2000 /* events per request (Amplitude HTTP V2 and batch API docs) */

struct twe {
    pid_t pid; /* a forked child owns nothing of this */
    char *store_path, *api_key, *secret_key, *mcp_token;
    int64_t app_id;
    char url[64], control_url[64], storage_url[64], token[65];
    struct MHD_Daemon *api, *control, *storage;
    emu_listener listeners[3];
    bool store_open;
    unsigned char storage_secret[32]; /* signs the links to cohort files */

    emu_switches sw;
    emu_faults faults;
    emu_journal journal;
    emu_limits limits;
    emu_throttle throttle;
    emu_ledger ledger;
    emu_door door;
    emu_jobs jobs;
    emu_charts charts;
    emu_mcp mcp;
    emu_store store;
    emu_zone *zone; /* of the project: rules the dates of analytics */

    pthread_mutex_t wait_mu; /* guards clock changes and stopping, for stalled requests */
    pthread_cond_t wait_cond;
    pthread_rwlock_t
        life; /* for reading while a request is carried out, for writing in a reset */
    _Atomic uint64_t resets;
    _Atomic int64_t clock_offset_ms;
    _Atomic bool stopping;
    _Atomic uint64_t next_conn, next_req;
};

#define EMU_SW(e, id) ((e)->sw.value[SW_##id])

int64_t emu_now_ms(twe *e);               /* wall clock plus the virtual offset */
void emu_clock_shift(twe *e, int64_t ms); /* adds to the offset and wakes waiters */
/* Waits until the emulator's clock passed `until_ms` or the emulator stops. */
void emu_wait_until(twe *e, int64_t until_ms);

/* Demo data: a small deterministic project. */
int emu_seed_demo(twe *e, char *err, size_t err_n);

#endif
