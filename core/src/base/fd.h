/* SPDX-License-Identifier: MIT */
/* Descriptors that a forked child must not keep. */
#ifndef TW_BASE_FD_H
#define TW_BASE_FD_H

/* From now on a child closes its copy of the descriptor as soon as it is forked: a connection whose
 * other end is to notice that the parent closed it, a lock that is to go with the parent. To be
 * closed with tw__fd_close. A negative number is let through. Returns `fd`. @thread any */
int tw__fd_own(int fd);

/* As close(). Never of a number that was inherited: it may be another file there. @thread any */
int tw__fd_close(int fd);

/* What the at-fork handler does, for tests: closes what is owned and still is what it was. */
void tw__fd_child(void);

#endif
