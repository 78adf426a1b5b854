/* SPDX-License-Identifier: MIT */
/* An allocator that fails at a chosen call and counts what is still held. */
#ifndef TW_TEST_OOM_H
#define TW_TEST_OOM_H

/* From now on the `fail_at`-th allocation (from 0) and all later ones fail; -1: none. */
void oom_begin(long fail_at);

/* Restores malloc. Returns nonzero when an allocation was refused; `*held` is the number of
 * blocks not given back. */
int oom_end(long *held);

#endif
