/* SPDX-License-Identifier: MIT */
/* The process id, cheap enough to check in every call. */
#ifndef TW_BASE_PROCESS_H
#define TW_BASE_PROCESS_H

#include <sys/types.h>

/* getpid() without the system call: kept until a fork throws it away. @thread any */
pid_t tw__pid(void);

#endif
