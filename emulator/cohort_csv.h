/* SPDX-License-Identifier: MIT */
/* The file of a cohort, made while it is sent. */
#ifndef EMU_COHORT_CSV_H
#define EMU_COHORT_CSV_H

#include "cohorts.h"
#include "http.h"

/* Starts the file as r's answer. Keys are copied; props without keys means all properties. */
bool emu_csv_start(emu_req *r, const emu_cohort *c, bool props, char **keys,
                   size_t key_n);

#endif
