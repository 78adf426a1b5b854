/* SPDX-License-Identifier: MIT */
/* Base64, UUIDs, time text and form decoding. */
#include "text.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

void emu_hex(char *out, const unsigned char *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * n] = 0;
}

static const char B64[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void emu_base64(emu_buf *b, const void *data, size_t n)
{
    const unsigned char *p = data;

    if (!emu_buf_reserve(b, n / 3 * 4 + 4))
        return;
    for (; n >= 3; n -= 3, p += 3) {
        char o[4] = {B64[p[0] >> 2], B64[(p[0] & 3) << 4 | p[1] >> 4],
                     B64[(p[1] & 15) << 2 | p[2] >> 6], B64[p[2] & 63]};
        emu_buf_put(b, o, 4);
    }
    if (n) {
        unsigned second = n == 2 ? p[1] : 0;
        char o[4] = {B64[p[0] >> 2], B64[(p[0] & 3) << 4 | second >> 4],
                     n == 2 ? B64[(second & 15) << 2] : '=', '='};
        emu_buf_put(b, o, 4);
    }
}

emu_str emu_unbase64(emu_arena *a, emu_str s)
{
    char *out = emu_arena_alloc(a, s.n / 4 * 3 + 4);
    uint32_t acc = 0;
    size_t n = 0;
    int bits = 0;

    while (s.n && s.s[s.n - 1] == '=')
        s.n--;
    for (size_t i = 0; out && i < s.n; i++) {
        const char *hit = s.s[i] ? strchr(B64, s.s[i]) : NULL;

        if (!hit)
            return (emu_str){NULL, 0};
        acc = acc << 6 | (uint32_t)(hit - B64);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[n++] = (char)(acc >> bits);
            acc &= (1u << bits) - 1;
        }
    }
    return (emu_str){out, n};
}

bool emu_same_secret(emu_str a, emu_str b)
{
    unsigned diff = a.n != b.n;

    for (size_t i = 0; i < a.n; i++)
        diff |= (unsigned char)a.s[i] ^ (unsigned char)(b.n ? b.s[i % b.n] : 0);
    return diff == 0;
}

bool emu_random(void *p, size_t n)
{
    return getrandom(p, n, 0) == (ssize_t)n;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 m = (unsigned __int128)a * b;

    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static void hash_bytes(emu_hash *h, emu_str s)
{
    const char *p = s.s;
    size_t n = s.n;
    uint64_t w[2];

    while (n > 0) {
        size_t step = n < 16 ? n : 16;

        w[0] = w[1] = 0;
        memcpy(w, p, step);
        h->hi = mix(h->hi ^ w[0], 0x9E3779B97F4A7C15ULL ^ w[1]);
        h->lo = mix(h->lo ^ w[1], 0xD6E8FEB86659FD93ULL ^ w[0]) + h->hi;
        p += step;
        n -= step;
    }
    h->hi = mix(h->hi ^ s.n, 0xA0761D6478BD642FULL);
    h->lo = mix(h->lo ^ s.n, 0xE7037ED1A0B428DBULL);
}

emu_hash emu_hash_of(uint64_t seed, emu_str a, emu_str b)
{
    emu_hash h = {seed ^ 0x243F6A8885A308D3ULL, seed ^ 0x13198A2E03707344ULL};

    hash_bytes(&h, a);
    hash_bytes(&h, b);
    return h;
}

static void uuid_text(char out[37], const unsigned char b[16])
{
    char hex[33];

    emu_hex(hex, b, 16);
    snprintf(out, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
             hex + 20);
}

void emu_uuid(char out[37], emu_hash h)
{
    unsigned char b[16];

    memcpy(b, &h.hi, 8);
    memcpy(b + 8, &h.lo, 8);
    b[6] = (unsigned char)((b[6] & 15) | 0x40);
    b[8] = (unsigned char)((b[8] & 63) | 0x80);
    uuid_text(out, b);
}

void emu_uuid5(char out[37], emu_str name)
{
    /* The service's name space is not known; any stable one will do. */
    static const unsigned char space[16] = {0x6b, 0xa7, 0xb8, 0x12, 0x9d, 0xad,
                                            0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0,
                                            0x4f, 0xd4, 0x30, 0xc8};
    unsigned char digest[20];
    emu_buf b = {0};

    emu_buf_put(&b, space, sizeof(space));
    emu_buf_str(&b, name);
    emu_sha1(b.p, b.n, digest);
    emu_buf_free(&b);
    digest[6] = (unsigned char)((digest[6] & 15) | 0x50);
    digest[8] = (unsigned char)((digest[8] & 63) | 0x80);
    uuid_text(out, digest);
}

/* Proleptic Gregorian calendar by 400-year eras that start in March. */
int64_t emu_days_from_civil(int64_t y, unsigned m, unsigned d)
{
    int64_t era;
    unsigned yoe, doy;

    y -= m <= 2;
    era = (y >= 0 ? y : y - 399) / 400;
    yoe = (unsigned)(y - era * 400);
    doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    return era * 146097 + (int64_t)(yoe * 365 + yoe / 4 - yoe / 100 + doy) - 719468;
}

void emu_civil_from_days(int64_t days, int64_t *y, unsigned *m, unsigned *d)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    unsigned doe = (unsigned)(z - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153;

    *d = doy - (153 * mp + 2) / 5 + 1;
    *m = mp < 10 ? mp + 3 : mp - 9;
    *y = (int64_t)yoe + era * 400 + (*m <= 2);
}

static char *put_digits(char *p, unsigned v, int n)
{
    for (int i = n - 1; i >= 0; i--) {
        p[i] = (char)('0' + v % 10);
        v /= 10;
    }
    return p + n;
}

void emu_time_text(char out[EMU_TIME_N + 1], int64_t ms)
{
    const int64_t day = 86400000, low = -62167219200000, high = 253402300799999;
    int64_t days, y;
    unsigned m, d, t;
    char *p = out;

    ms = ms < low ? low : ms > high ? high : ms; /* years 0000 to 9999 */
    days = (ms >= 0 ? ms : ms - day + 1) / day;
    t = (unsigned)(ms - days * day);
    emu_civil_from_days(days, &y, &m, &d);
    p = put_digits(p, (unsigned)y, 4);
    *p++ = '-';
    p = put_digits(p, m, 2);
    *p++ = '-';
    p = put_digits(p, d, 2);
    *p++ = ' ';
    p = put_digits(p, t / 3600000, 2);
    *p++ = ':';
    p = put_digits(p, t / 60000 % 60, 2);
    *p++ = ':';
    p = put_digits(p, t / 1000 % 60, 2);
    *p++ = '.';
    p = put_digits(p, t % 1000, 3);
    memcpy(p, "000", 4);
}

bool emu_iso_time(emu_str s, int64_t *ms)
{
    char z[48], sign = 'Z';
    int y, mo, d, h = 0, mi = 0, sec = 0, milli = 0, zh = 0, zm = 0, used = 0;
    const char *p = z;

    if (s.n >= sizeof(z) || s.n == 0)
        return false;
    memcpy(z, s.s, s.n);
    z[s.n] = 0;
    if (sscanf(p, "%4d-%2d-%2d%n", &y, &mo, &d, &used) != 3 || mo < 1 || mo > 12 ||
        d < 1 || d > 31)
        return false;
    p += used;
    if (*p == 'T' || *p == 't' || *p == ' ') {
        used = 0;
        if (sscanf(p + 1, "%2d:%2d:%2d%n", &h, &mi, &sec, &used) != 3)
            return false;
        p += 1 + used;
        if (*p == '.' || *p == ',') {
            p++;
            for (int unit = 100; *p >= '0' && *p <= '9'; unit /= 10)
                milli += unit * (*p++ - '0');
        }
    }
    if (*p == '+' || *p == '-') {
        sign = *p++;
        if (sscanf(p, "%2d:%2d", &zh, &zm) < 2 && sscanf(p, "%2d%2d", &zh, &zm) < 1)
            return false;
    }
    *ms = emu_days_from_civil(y, (unsigned)mo, (unsigned)d) * 86400000 +
          (h * 3600 + mi * 60 + sec) * 1000LL + milli;
    *ms -= (sign == '-' ? -1 : sign == '+' ? 1 : 0) * (zh * 3600 + zm * 60) * 1000LL;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool emu_all_digits(emu_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.s[i] < '0' || s.s[i] > '9')
            return false;
    return s.n > 0 && s.n < 19;
}

/* The character at *i, which then stands behind it. */
static char decode(emu_str s, size_t *i, bool plus)
{
    char c = s.s[*i];
    int hi = c == '%' && *i + 2 < s.n ? hex_digit(s.s[*i + 1]) : -1;
    int lo = hi >= 0 ? hex_digit(s.s[*i + 2]) : -1;

    *i += hi >= 0 && lo >= 0 ? 3 : 1;
    if (hi >= 0 && lo >= 0)
        return (char)(hi * 16 + lo);
    return c == '+' && plus ? ' ' : c;
}

emu_str emu_unescape(emu_arena *a, emu_str s, bool plus)
{
    char *out = emu_arena_alloc(a, s.n + 1);
    size_t n = 0;

    if (!out)
        return (emu_str){NULL, 0};
    for (size_t i = 0; i < s.n;)
        out[n++] = decode(s, &i, plus);
    out[n] = 0;
    return (emu_str){out, n};
}

/* Compared in place: a query of thousands of names would leave a copy of each. */
static bool decodes_to(emu_str s, const char *name)
{
    for (size_t i = 0; i < s.n; name++)
        if (!*name || decode(s, &i, true) != *name)
            return false;
    return !*name;
}

emu_str emu_form_nth(emu_arena *a, emu_str form, const char *name, size_t nth)
{
    const char *p = form.s, *end = form.s + form.n;

    while (form.n && p < end) {
        const char *amp = memchr(p, '&', (size_t)(end - p));
        const char *stop = amp ? amp : end;
        const char *eq = memchr(p, '=', (size_t)(stop - p));
        const char *key_end = eq ? eq : stop;
        if (decodes_to((emu_str){p, (size_t)(key_end - p)}, name) && nth-- == 0) {
            const char *v = eq ? eq + 1 : stop;
            return emu_unescape(a, (emu_str){v, (size_t)(stop - v)}, true);
        }
        p = stop + 1;
    }
    return (emu_str){NULL, 0};
}

emu_str emu_form(emu_arena *a, emu_str form, const char *name)
{
    return emu_form_nth(a, form, name, 0);
}
