/* SPDX-License-Identifier: MIT */
/* Sending side of a request, for http.c. */
#ifndef EMU_REPLY_H
#define EMU_REPLY_H

#include "http.h"

/* Routes the request, applies late faults, queues the answer and journals. */
enum MHD_Result emu_finish(emu_req *r);
/* Carries a fault out at once. MHD_NO: the connection is broken. MHD_YES: go on reading. */
enum MHD_Result emu_fault_now(emu_req *r, const emu_action *a);
void emu_break(emu_req *r, emu_close how);

#endif
