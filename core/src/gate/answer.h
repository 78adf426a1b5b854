/* SPDX-License-Identifier: MIT */
/* What an error answer says, in one line. */
#ifndef TW_GATE_ANSWER_H
#define TW_GATE_ANSWER_H

#include <stddef.h>

/* Reads the error envelopes of the APIs and plain text; "" where the body says nothing that helps.
 * May quote keys: redact it. @thread any */
void tw__answer_text(char *text, size_t room, const char *body, size_t size);

#endif
