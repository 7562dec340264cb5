/* Faults as they are written down. */
#include "venues/emulator/fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/decimal.h"
#include "lib/base/text.h"

enum value { NO_VALUE, SECONDS, SIGNED_SECONDS };

static const char *const names[] = {
    [FAULT_DROP] = "drop",
    [FAULT_REPEAT] = "repeat",
    [FAULT_SWAP] = "swap",
    [FAULT_CUT] = "cut",
    [FAULT_GARBAGE] = "garbage",
    [FAULT_DISCONNECT] = "disconnect",
    [FAULT_CLOSE] = "close",
    [FAULT_SILENCE] = "silence",
    [FAULT_REFUSE] = "refuse",
    [FAULT_429] = "429",
    [FAULT_418] = "418",
    [FAULT_SKEW] = "skew",
    [FAULT_STALE_SNAPSHOT] = "stale-snapshot",
    [FAULT_SLOW_SNAPSHOT] = "slow-snapshot",
    [FAULT_KINDS] = NULL,
};

static const struct {
    enum value takes;
    int64_t usual_ns;
} values[FAULT_KINDS] = {
    [FAULT_REFUSE] = {SECONDS, 5 * NS_PER_SEC},        [FAULT_429] = {SECONDS, 5 * NS_PER_SEC},
    [FAULT_418] = {SECONDS, 5 * NS_PER_SEC},           [FAULT_SKEW] = {SIGNED_SECONDS, NS_PER_SEC},
    [FAULT_SLOW_SNAPSHOT] = {SECONDS, 5 * NS_PER_SEC},
};

const char *fault_name(enum fault_kind kind)
{
    return names[kind];
}

static int kind_named(const char *name)
{
    for (int i = 0; i < FAULT_KINDS; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

static int wrong_kind(const char *name, char *error, size_t cap)
{
    int n = snprintf(error, cap, "fault kind \"%s\": expected one of", name);
    for (int i = 0; i < FAULT_KINDS && n > 0 && (size_t)n < cap; i++)
        n += snprintf(error + n, cap - (size_t)n, "%s %s", i ? "," : "", names[i]);
    const char *near = text_nearest(name, names);
    if (near && n > 0 && (size_t)n < cap)
        (void)snprintf(error + n, cap - (size_t)n, "; did you mean %s?", near);
    return E_SYNTAX;
}

static int read_value(const char *text, struct fault *out, char *error, size_t cap)
{
    struct dec seconds;
    enum value takes = values[out->kind].takes;
    if (takes == NO_VALUE) {
        (void)snprintf(error, cap, "fault %s: \"=%s\": expected no value", names[out->kind], text);
        return E_SYNTAX;
    }
    if (dec_parse(text, strlen(text), &seconds) == OK && (takes == SIGNED_SECONDS || seconds.m > 0) &&
        dec_mantissa(seconds, -9, ROUND_HALF_EVEN, &out->value_ns) == OK &&
        out->value_ns <= INT64_C(1000000) * NS_PER_SEC && out->value_ns >= INT64_C(-1000000) * NS_PER_SEC)
        return OK;
    (void)snprintf(error, cap, "fault %s: value \"%s\": expected %s", names[out->kind], text,
                   takes == SECONDS ? "seconds above 0, such as 2.5" : "seconds, such as 2.5 or -0.3");
    return E_SYNTAX;
}

static int read_line(const char *text, struct fault *out, char *error, size_t cap)
{
    char *end;
    unsigned long long line = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || line == 0 || strlen(text) > 18) {
        (void)snprintf(error, cap, "fault %s: line \"%s\": expected a whole number above 0", names[out->kind],
                       text);
        return E_SYNTAX;
    }
    out->line = line;
    out->when = FAULT_LINE;
    return OK;
}

static int read_rate(const char *text, struct fault *out, char *error, size_t cap)
{
    struct dec rate;
    if (dec_parse(text, strlen(text), &rate) != OK || rate.m <= 0 || dec_double(rate) > 1) {
        (void)snprintf(error, cap, "fault %s: rate \"%s\": expected a probability above 0 and at most 1",
                       names[out->kind], text);
        return E_SYNTAX;
    }
    out->rate = dec_double(rate);
    out->when = FAULT_RATE;
    return OK;
}

int fault_parse(const char *text, struct fault *out, char *error, size_t error_cap)
{
    char copy[96], *kind = copy;
    *out = (struct fault){0};
    if (strlen(text) >= sizeof copy) {
        (void)snprintf(error, error_cap, "fault \"%.40s...\": expected at most %zu characters", text,
                       sizeof copy - 1);
        return E_SYNTAX;
    }
    memcpy(copy, text, strlen(text) + 1);
    char *slash = strchr(copy, '/');
    if (slash) {
        *slash = '\0';
        kind = slash + 1;
        if (*copy == '\0' || !text_set(out->venue, sizeof out->venue, copy)) {
            (void)snprintf(error, error_cap, "fault \"%s\": venue \"%s\": expected a venue's name", text,
                           copy);
            return E_SYNTAX;
        }
    }
    char *when = strpbrk(kind, "@:"), how = when ? *when : '\0';
    if (when)
        *when++ = '\0';
    char *value = strchr(kind, '=');
    if (value)
        *value++ = '\0';
    int found = kind_named(kind);
    if (found < 0)
        return wrong_kind(kind, error, error_cap);
    out->kind = (enum fault_kind)found;
    out->value_ns = values[found].usual_ns;
    int status = value ? read_value(value, out, error, error_cap) : OK;
    if (status == OK && how == '@')
        status = read_line(when, out, error, error_cap);
    if (status == OK && how == ':')
        status = read_rate(when, out, error, error_cap);
    return status;
}
