/* SPDX-License-Identifier: MIT */
/* Fields of a request from its body (urlencoded or multipart) or its query. */
#ifndef EMU_FORM_H
#define EMU_FORM_H

#include "http.h"

/* The field, decoded; the body goes before the query. s == NULL when absent. */
emu_str emu_field(emu_req *r, const char *name);

#endif
