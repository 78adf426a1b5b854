/* SPDX-License-Identifier: MIT */
/* Which addresses are loopback and which are public. */
#define _GNU_SOURCE
#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

/* What a storage link may never point to (RFC 6890 and the IANA special-purpose registries). */
static const struct {
    uint32_t net;
    unsigned bits;
} special4[] = {
    {0x00000000, 8},  /* this network */
    {0x0A000000, 8},  /* private */
    {0x64400000, 10}, /* carrier-grade NAT */
    {0x7F000000, 8},  /* loopback */
    {0xA9FE0000, 16}, /* link-local: cloud metadata lives there */
    {0xAC100000, 12}, /* private */
    {0xC0000000, 24}, /* protocol assignments */
    {0xC0000200, 24}, /* documentation */
    {0xC0A80000, 16}, /* private */
    {0xC6120000, 15}, /* benchmarks */
    {0xC6336400, 24}, /* documentation */
    {0xCB007100, 24}, /* documentation */
    {0xE0000000, 4},  /* multicast */
    {0xF0000000, 4},  /* reserved, broadcast */
};

static int public4(uint32_t address)
{
    size_t i;

    for (i = 0; i < sizeof special4 / sizeof *special4; i++) {
        if ((address ^ special4[i].net) >> (32 - special4[i].bits) == 0)
            return 0;
    }
    return 1;
}

static uint32_t read4(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Global unicast is 2000::/3; within it some prefixes wrap an IPv4 address. */
static int public6(const unsigned char *at)
{
    static const unsigned char nat64[12] = {0, 0x64, 0xFF, 0x9B};

    if (memcmp(at, nat64, sizeof nat64) == 0)
        return public4(read4(at + 12));
    if ((at[0] & 0xE0) != 0x20)
        return 0; /* loopback, mapped, link-local, unique local, multicast */
    if (at[0] == 0x20 && at[1] == 0x02)
        return public4(read4(at + 2)); /* 6to4 */
    if (at[0] == 0x20 && at[1] == 0x01 && at[2] == 0 && at[3] == 0)
        return 0; /* Teredo */
    if (at[0] == 0x20 && at[1] == 0x01 && at[2] == 0x0D && at[3] == 0xB8)
        return 0; /* documentation */
    return 1;
}

int tw__sockaddr_is_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, address, sizeof in);
        return public4(ntohl(in.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, address, sizeof in6);
        return public6(in6.sin6_addr.s6_addr);
    }
    return 0;
}

/* 4 or 6 for a literal, which is written to `bytes`; 0 for a name. */
static int literal_parse(unsigned char bytes[16], const char *host, size_t size)
{
    char text[64];

    if (size >= sizeof text)
        return 0;
    if (size >= 2 && host[0] == '[' && host[size - 1] == ']') {
        memcpy(text, host + 1, size - 2);
        text[size - 2] = '\0';
        return inet_pton(AF_INET6, text, bytes) == 1 ? 6 : 0;
    }
    memcpy(text, host, size);
    text[size] = '\0';
    return inet_pton(AF_INET, text, bytes) == 1 ? 4 : 0;
}

int tw__host_is_ipv4(const char *host, size_t size)
{
    unsigned char bytes[16];

    return literal_parse(bytes, host, size) == 4;
}

static int is_localhost(const char *host, size_t size)
{
    static const char name[] = "localhost";
    size_t n = sizeof name - 1;

    if (size > n && host[size - 1] == '.')
        size--;
    return size >= n && strncasecmp(host + size - n, name, n) == 0 &&
           (size == n || host[size - n - 1] == '.');
}

int tw__host_is_loopback(const char *host, size_t size)
{
    static const unsigned char one[16] = {[15] = 1};
    unsigned char bytes[16];

    switch (literal_parse(bytes, host, size)) {
    case 4:
        return bytes[0] == 127;
    case 6:
        return memcmp(bytes, one, sizeof one) == 0;
    default:
        /* libcurl resolves this one name to loopback without asking anybody. */
        return size == 9 && strncasecmp(host, "localhost", 9) == 0;
    }
}

int tw__host_is_private(const char *host, size_t size)
{
    unsigned char bytes[16];

    switch (literal_parse(bytes, host, size)) {
    case 4:
        return !public4(read4(bytes));
    case 6:
        return !public6(bytes);
    default:
        return is_localhost(host, size);
    }
}
