/* SPDX-License-Identifier: MIT */
/* The folder of a spool on the real disk, which a test takes away again. */
#ifndef TW_TESTS_FOLDER_H
#define TW_TESTS_FOLDER_H

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

static char folder[80];

static void folder_remove(void)
{
    DIR *list = opendir(folder);
    struct dirent *entry;

    while (list != NULL && (entry = readdir(list)) != NULL)
        (void)unlinkat(dirfd(list), entry->d_name, 0);
    if (list != NULL)
        closedir(list);
    (void)rmdir(folder);
}

#endif
