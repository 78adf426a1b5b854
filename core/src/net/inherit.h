/* SPDX-License-Identifier: MIT */
/* Descriptors that a library makes without close-on-exec. */
#ifndef TW_NET_INHERIT_H
#define TW_NET_INHERIT_H

enum { TW_INHERIT_SPAN = 64 };

/* Which descriptors from the lowest free one on were open. */
typedef struct tw_inherit {
    int first;
    unsigned char open[TW_INHERIT_SPAN];
} tw_inherit;

/* Call begin before and end after the library's function. What was opened in between and does not
 * block gets close-on-exec. Another thread's descriptor of that very moment gets it too; one
 * that does not block and is made to be inherited is not worth a lock around the process. */
void tw__inherit_begin(tw_inherit *in);
void tw__inherit_end(const tw_inherit *in);

#endif
