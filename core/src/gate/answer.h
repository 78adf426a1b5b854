/* SPDX-License-Identifier: MIT */
/* What an error answer says, in one line. */
#ifndef TW_GATE_ANSWER_H
#define TW_GATE_ANSWER_H

#include <stddef.h>

/* Reads the error envelopes of the APIs and plain text; "" where the body says nothing that helps.
 * May quote keys: redact it. @thread any */
void tw__answer_text(char *text, size_t room, const char *body, size_t size);

/* TW_OK, or the code of the error that a JSON answer says it is, whatever its status: "success" is
 * false, or there is an "error". `text` becomes what tw__answer_text makes of it. @thread any */
int tw__answer_refusal(char *text, size_t room, const char *body, size_t size);

/* Nonzero where the body of a conflict says that the thing exists already. Where `is_wordless` a
 * bare {"success":false} says so, too. @thread any */
int tw__answer_exists(const char *body, size_t size, int is_wordless);

#endif
