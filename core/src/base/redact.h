/* SPDX-License-Identifier: MIT */
/* Keeps secrets out of texts that others wrote. */
#ifndef TW_BASE_REDACT_H
#define TW_BASE_REDACT_H

#include <stddef.h>

/* Replaces every occurrence of `secret` in `text` by `mark`, in place, also one of which the
 * end of the text has cut off a part. Nothing happens where `mark` is longer than the
 * secret. @thread any */
void tw__redact(char *text, const char *secret, size_t size, const char *mark);

#endif
