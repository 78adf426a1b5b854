/* SPDX-License-Identifier: MIT */
/* Clocks that stand still until the test moves them, and randomness that is known. */
#ifndef TEST_FAKE_TIME_H
#define TEST_FAKE_TIME_H

#include <stdint.h>

/* Puts both in place: monotonic 1,000,000 ms, wall 2026-11-23T00:00:00Z, all random bytes 0. */
void fake_time_begin(void);
void fake_time_end(void);
void fake_time_pass(int64_t ms);
/* Every random byte from now on. */
void fake_random_byte(unsigned char byte);

#endif
