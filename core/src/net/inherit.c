/* SPDX-License-Identifier: MIT */
/* Finding and marking descriptors that a program started by the host must not get. */
#include "net/inherit.h"

#include <fcntl.h>
#include <unistd.h>

/* A new descriptor takes the lowest number that is free. */
void tw__inherit_begin(tw_inherit *in)
{
    int i;

    in->first = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (in->first < 0)
        return;
    close(in->first);
    for (i = 0; i < TW_INHERIT_SPAN; i++)
        in->open[i] = fcntl(in->first + i, F_GETFD) >= 0;
}

void tw__inherit_end(const tw_inherit *in)
{
    int i;

    for (i = 0; in->first >= 0 && i < TW_INHERIT_SPAN; i++) {
        int fd = in->first + i;
        int flags = in->open[i] ? -1 : fcntl(fd, F_GETFD);

        if (flags >= 0 && (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0)
            (void)fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
    }
}
