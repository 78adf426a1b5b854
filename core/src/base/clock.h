/* SPDX-License-Identifier: MIT */
/* The two clocks: monotonic for waiting, wall for payloads. */
#ifndef TW_BASE_CLOCK_H
#define TW_BASE_CLOCK_H

#include <stdint.h>

/* Tests put their own in place before a client is made; NULL restores the system's. */
typedef struct tw_clock {
    int64_t (*monotonic_ms)(void *ctx);
    int64_t (*wall_ms)(void *ctx);
    void *ctx;
} tw_clock;

void tw__clock_set(const tw_clock *clock);
int64_t tw__monotonic_ms(void);
/* As monotonic, and goes on while the machine sleeps: for ages, not for waiting. */
int64_t tw__elapsed_ms(void);
int64_t tw__wall_ms(void); /* since 1970-01-01 UTC */
/* a + b without wrapping: huge timeouts mean "never". */
int64_t tw__ms_add(int64_t a, int64_t b);

#endif
