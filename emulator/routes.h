/* SPDX-License-Identifier: MIT */
/* Handlers named by the route tables. */
#ifndef EMU_ROUTES_H
#define EMU_ROUTES_H

#include "http.h"

typedef void emu_handler(emu_req *r);

emu_handler emu_do_cohort_list, emu_do_cohort_one, emu_do_cohort_usage,
    emu_do_cohort_request, emu_do_cohort_status, emu_do_cohort_file, emu_do_cohort_upload,
    emu_do_cohort_membership, emu_do_storage;
emu_handler emu_do_user_search, emu_do_user_activity;
emu_handler emu_do_control;

#endif
