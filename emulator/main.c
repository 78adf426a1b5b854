/* SPDX-License-Identifier: MIT */
/* tidewheel-emulator: the local Amplitude as a program. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "emulator.h"

static const char USAGE[] =
    "usage: tidewheel-emulator [--listen 127.0.0.1:0] [--store FILE|:memory:]\n"
    "         [--api-key K] [--secret-key S] [--app-id N] [--seed demo]\n"
    "         [--time-zone UTC] [--switches JSON]\n"
    "         [--exit-with-stdin]\n"
    "Prints one JSON line when ready. Keys start with \"emu\"; loopback addresses only.\n";

typedef struct arguments {
    twe_options options;
    const char *switches;
    bool exit_with_stdin, help;
} arguments;

static int read_arguments(arguments *a, int argc, char **argv)
{
    const struct {
        const char *name;
        const char **to;
    } texts[] = {
        {"--listen", &a->options.listen},   {"--store", &a->options.store},
        {"--api-key", &a->options.api_key}, {"--mcp-token", &a->options.mcp_token},
        {"--seed", &a->options.seed},       {"--secret-key", &a->options.secret_key},
        {"--switches", &a->switches},       {"--time-zone", &a->options.time_zone}};

    for (int i = 1; i < argc; i++) {
        bool known = false;

        for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]) && !known; t++) {
            known = strcmp(argv[i], texts[t].name) == 0 && i + 1 < argc;
            if (known)
                *texts[t].to = argv[++i];
        }
        if (known)
            continue;
        if (strcmp(argv[i], "--exit-with-stdin") == 0) {
            a->exit_with_stdin = true;
        } else if (strcmp(argv[i], "--help") == 0) {
            a->help = true;
        } else if (strcmp(argv[i], "--app-id") == 0 && i + 1 < argc) {
            char *end;

            a->options.app_id = strtoll(argv[++i], &end, 10);
            if (*end || a->options.app_id <= 0)
                return -1;
        } else {
            return -1;
        }
    }
    return 0;
}

/* Returns when asked to end by a signal or by the end of standard input. */
static void wait_for_end(int signals, bool with_stdin)
{
    struct pollfd fds[2] = {{.fd = signals, .events = POLLIN},
                            {.fd = with_stdin ? STDIN_FILENO : -1, .events = POLLIN}};
    char sink[256];

    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return;
        if (fds[0].revents)
            return;
        if (fds[1].revents && read(STDIN_FILENO, sink, sizeof(sink)) <= 0)
            return;
    }
}

static int set_switches(twe *e, const char *json)
{
    char *reply;
    size_t n;
    int status;

    if (!json)
        return 0;
    status = twe_control(e, "POST", "/switches", json, strlen(json), &reply, &n);
    if (status != 200)
        fprintf(stderr, "tidewheel-emulator: %s\n", reply ? reply : "memory ran out");
    twe_free(reply);
    return status == 200 ? 0 : -1;
}

static void announce(const twe *e)
{
    printf(
        "{\"url\":\"%s\",\"control_url\":\"%s\",\"control_token\":\"%s\",\"storage_url\":\"%s\","
        "\"api_key\":\"%s\",\"secret_key\":\"%s\",\"app_id\":%lld}\n",
        twe_url(e), twe_control_url(e), twe_control_token(e), twe_storage_url(e),
        twe_api_key(e), twe_secret_key(e), (long long)twe_app_id(e));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    arguments a = {.options = TWE_OPTIONS_INIT};
    char err[512];
    sigset_t set;
    int signals, rc = 1;
    twe *e = NULL;

    if (read_arguments(&a, argc, argv)) {
        fputs(USAGE, stderr);
        return 2;
    }
    if (a.help) {
        fputs(USAGE, stdout);
        return 0;
    }
    /* Blocked before any thread starts, so that they arrive here only. */
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signals = signalfd(-1, &set, SFD_CLOEXEC);
    if (signals < 0) {
        perror("tidewheel-emulator: signalfd");
        return 1;
    }
    if (twe_start(&e, &a.options, err, sizeof(err))) {
        fprintf(stderr, "tidewheel-emulator: %s\n", err);
    } else if (!set_switches(e, a.switches)) {
        announce(e);
        wait_for_end(signals, a.exit_with_stdin);
        rc = 0;
    }
    twe_stop(e);
    close(signals);
    return rc;
}
