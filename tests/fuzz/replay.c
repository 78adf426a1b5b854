/* SPDX-License-Identifier: MIT */
/* A main for fuzz targets built without libFuzzer: feeds them the files of folders. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input is copied into a block of its very size: a sanitizer sees a read past it. */
static int replay_file(const char *path)
{
    struct stat st;
    uint8_t *data = NULL;
    FILE *file = fopen(path, "rb");
    int rc = -1;

    if (file == NULL || fstat(fileno(file), &st) != 0)
        goto out;
    data = malloc(st.st_size > 0 ? (size_t)st.st_size : 1);
    if (data == NULL || fread(data, 1, (size_t)st.st_size, file) != (size_t)st.st_size)
        goto out;
    LLVMFuzzerTestOneInput(data, (size_t)st.st_size);
    rc = 0;
out:
    if (rc != 0)
        perror(path);
    free(data);
    if (file != NULL)
        fclose(file);
    return rc;
}

/* Returns the number of files replayed, -1 on a failure. */
static long replay_folder(const char *path)
{
    char name[4096];
    struct dirent *entry;
    long count = 0;
    DIR *dir = opendir(path);

    if (dir == NULL) {
        perror(path);
        return -1;
    }
    while (count >= 0 && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        count = replay_file(name) == 0 ? count + 1 : -1;
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    long total = 0;

    for (int i = 1; i < argc; i++) {
        long count = replay_folder(argv[i]);
        if (count < 0)
            return EXIT_FAILURE;
        total += count;
    }
    printf("%ld inputs replayed\n", total);
    return total > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
