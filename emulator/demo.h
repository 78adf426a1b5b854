/* SPDX-License-Identifier: MIT */
/* The demo project: its events, and what is said about them. */
#ifndef EMU_DEMO_H
#define EMU_DEMO_H

#include "internal.h"
#include "routes.h"

#define DEMO_DAYS 56
#define DEMO_CUSTOMERS 600
#define DEMO_DAY_MS 86400000LL

/* Runs one of the API's own handlers; the reply's body is copied to *reply when given. */
int emu_demo_call(twe *e, emu_handler *handler, const char *method, const char *path,
                  emu_str body, emu_buf *reply);

/* Eight weeks of events that end yesterday. */
int emu_demo_shop(twe *e);

#endif
