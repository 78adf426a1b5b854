/* SPDX-License-Identifier: MIT */
/* Keeps a fork from happening while a thread of ours is inside a library that has locks of
 * its own. */
#ifndef TW_NET_FORK_GATE_H
#define TW_NET_FORK_GATE_H

/* Between these two no fork happens: it waits, and who comes meanwhile waits for it. May be nested;
 * to be left soon. @thread any */
void tw__fork_gate_enter(void);
void tw__fork_gate_leave(void);

#endif
