/* SPDX-License-Identifier: MIT */
/* Throttles of the ingestion paths: event rates per id, daily quota, silenced devices. */
#ifndef EMU_THROTTLE_H
#define EMU_THROTTLE_H

#include <pthread.h>

#include "map.h"
#include "text.h"

/* Each way in has its own threshold and its own count. */
typedef enum emu_channel {
    CHANNEL_V2,
    CHANNEL_BATCH,
    CHANNEL_IDENTIFY,
    CHANNELS
} emu_channel;

/* Counts of ids over a ring of seconds or hours. */
typedef struct emu_rates {
    struct emu_rate *slots;
    size_t cap, used;
    int length; /* counters of the ring */
} emu_rates;

/* What was seen of one channel since the last reset, whatever the switches allowed. */
typedef struct emu_seen_rate {
    int64_t events, peak, excess, refused; /* peak: events within 30 s of one id */
} emu_seen_rate;

typedef struct emu_excess {
    int64_t time_ms, count;
    const char *meter, *kind;
    char id[64]; /* cut */
} emu_excess;

#define EMU_EXCESSES 256

typedef struct emu_throttle {
    pthread_mutex_t mu;
    emu_rates rates[CHANNELS]; /* 30 seconds */
    emu_rates days;            /* 24 hours, batch only */
    emu_seen_rate seen[CHANNELS];
    int64_t day_peak, day_excess, updates_dropped;
    emu_excess log[EMU_EXCESSES]; /* the first ones */
    size_t log_n;
    int64_t log_dropped;
    emu_map silenced; /* device ids; the value is never looked at */
    bool any_silenced;
    bool failed; /* memory ran out: counts are too low from here on */
} emu_throttle;

struct emu_batch;
struct emu_req;
struct emu_user;
struct twe;

void emu_throttle_init(emu_throttle *t);
void emu_throttle_reset(emu_throttle *t); /* counts and log; silenced devices stay */
void emu_throttle_free(emu_throttle *t);

/* True when the checked events may be stored; else the documented 400 or 429 is answered. */
bool emu_throttle_check(struct emu_batch *b);
/* Counts the events of a batch that was stored. */
void emu_throttle_count(struct emu_batch *b);
/* The same for identifications; devices and users are n ids each, s == NULL is absent. */
bool emu_throttle_identify(struct emu_req *r, const emu_str *users,
                           const emu_str *devices, size_t n);
/* True when one more property update of the user is applied. @locks needs store.mu */
bool emu_update_allowed(struct twe *e, struct emu_user *u);

/* Replaces the silenced devices by an array of ids. */
bool emu_silence(emu_throttle *t, emu_arena *a, emu_str ids, emu_buf *err);
void emu_silenced_write(emu_throttle *t, emu_buf *out);
void emu_meters_write(struct twe *e, emu_buf *out);

#endif
