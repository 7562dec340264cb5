/* What the config says about live venues, held against what the venues are. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/text.h"
#include "services/feed/live.h"

enum { VENUES_NAMED_MAX = 32 };

const char *live_next_symbol(const char *list, char out[32])
{
    list += strspn(list, ", \t\n");
    size_t len = strcspn(list, ", \t\n");
    if (len == 0)
        return NULL;
    (void)snprintf(out, 32, "%.*s", (int)(len < 32 ? len : 31), list);
    return list + len;
}

static int unknown_venue(uint32_t i, const char *name, char error[CONFIG_ERROR_MAX])
{
    const char *names[VENUES_NAMED_MAX + 1] = {NULL};
    char list[160] = "";
    uint32_t n = 0;
    for (const struct venue_ops *const *v = venues_all; *v && n < VENUES_NAMED_MAX; v++) {
        if (!(*v)->line)
            continue;
        names[n++] = (*v)->name;
        size_t len = strlen(list);
        (void)snprintf(list + len, sizeof list - len, "%s%s", len ? ", " : "", (*v)->name);
    }
    const char *near = text_nearest(name, names);
    (void)snprintf(error, CONFIG_ERROR_MAX, "venues.%u.venue: \"%s\": expected one of %s%s%s%s", i, name,
                   list, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return E_ABSENT;
}

/* HOST[:PORT][/PATH]: what a socket can be opened to. */
static bool is_place(const char *at)
{
    const char *end = at + strcspn(at, "/"), *host = at, *port;
    char *stop;
    for (const char *c = at; *c; c++)
        if (*c <= ' ' || *c == 127 || strchr("?#@", *c))
            return false;
    if (*at == '[' && !(at = memchr(at, ']', (size_t)(end - at))))
        return false;
    port = memchr(at, ':', (size_t)(end - at));
    if ((port ? port : end) == host || (*host == '[' && at + 1 != (port ? port : end)))
        return false;
    if (!port)
        return !*end || end[strlen(end) - 1] != '/';
    long number = port[1] >= '0' && port[1] <= '9' ? strtol(port + 1, &stop, 10) : 0;
    return number > 0 && number < 65536 && stop == end && (!*end || end[strlen(end) - 1] != '/');
}

static int check_url(uint32_t i, const char *key, const char *url, const char *scheme,
                     char error[CONFIG_ERROR_MAX])
{
    size_t len = strlen(scheme);
    bool plain = strncmp(url, scheme, len) == 0, safe = plain && url[len] == 's';
    const char *rest = url + len + safe;
    if (!*url || (plain && strncmp(rest, "://", 3) == 0 && is_place(rest + 3)))
        return OK;
    (void)snprintf(
        error, CONFIG_ERROR_MAX,
        "venues.%u.%s: \"%s\": expected %s://HOST[:PORT] or %ss://HOST[:PORT], without a slash at the end", i,
        key, url, scheme, scheme);
    return E_SYNTAX;
}

static int check_depth(uint32_t i, int64_t depth, const struct line *line, char error[CONFIG_ERROR_MAX])
{
    char list[96] = "";
    for (int k = 0; k < LINE_DEPTHS_MAX && line->depths[k]; k++) {
        size_t len = strlen(list);
        if (line->depths[k] == depth)
            return OK;
        (void)snprintf(list + len, sizeof list - len, "%u, ", line->depths[k]);
    }
    if (depth == 0)
        return OK;
    (void)snprintf(error, CONFIG_ERROR_MAX,
                   "venues.%u.depth: %" PRId64 ": expected one of %sor 0 for the venue's usual depth", i,
                   depth, list);
    return E_RANGE;
}

static bool named_before(const char *list, const char *until, const char *symbol)
{
    char other[32];
    for (const char *at = live_next_symbol(list, other); at && at < until; at = live_next_symbol(at, other))
        if (strcmp(other, symbol) == 0)
            return true;
    return false;
}

static int check_symbols(uint32_t i, const char *list, const struct line *line, char error[CONFIG_ERROR_MAX])
{
    char symbol[32], name[32];
    uint32_t n = 0;
    for (const char *at = live_next_symbol(list, symbol); at; at = live_next_symbol(at, symbol), n++) {
        if (line->venue_symbol(symbol, name) != OK) {
            (void)snprintf(error, CONFIG_ERROR_MAX, "venues.%u.symbols: \"%s\": expected %s", i, symbol,
                           line->symbol_form);
            return E_SYNTAX;
        }
        if (named_before(list, at, symbol)) {
            (void)snprintf(error, CONFIG_ERROR_MAX, "venues.%u.symbols: \"%s\": expected each symbol once", i,
                           symbol);
            return E_EXISTS;
        }
    }
    if (n > 0)
        return OK;
    (void)snprintf(error, CONFIG_ERROR_MAX, "venues.%u.symbols: \"\": expected at least one, %s", i,
                   line->symbol_form);
    return E_ABSENT;
}

static int check_venue(const struct config *config, uint32_t i, char error[CONFIG_ERROR_MAX])
{
    const struct config_venues *v = &config->venues[i];
    const struct venue_ops *ops = venue_named(v->venue);
    if (!ops || !ops->line)
        return unknown_venue(i, v->venue, error);
    for (uint32_t k = 0; k < i; k++)
        if (strcmp(config->venues[k].venue, v->venue) == 0) {
            (void)snprintf(error, CONFIG_ERROR_MAX,
                           "venues.%u.venue: \"%s\": expected each venue once; venues.%u has it", i, v->venue,
                           k);
            return E_EXISTS;
        }
    int status = check_symbols(i, v->symbols, ops->line, error);
    if (status == OK)
        status = check_depth(i, v->depth, ops->line, error);
    if (status == OK)
        status = check_url(i, "ws_url", v->ws_url, "ws", error);
    if (status == OK)
        status = check_url(i, "rest_url", v->rest_url, "http", error);
    if (status == OK && *v->ca_file && access(v->ca_file, R_OK) != 0) {
        (void)snprintf(error, CONFIG_ERROR_MAX, "venues.%u.ca_file: \"%.120s\": %s; expected a PEM file", i,
                       v->ca_file, strerror(errno));
        return E_IO;
    }
    return status;
}

int live_check(const struct config *config, char error[CONFIG_ERROR_MAX])
{
    int status = OK;
    if (config->n_venues == 0) {
        (void)snprintf(error, CONFIG_ERROR_MAX,
                       "feed.source is live, but the list venues is empty; expected at least one with venue "
                       "and symbols");
        return E_ABSENT;
    }
    for (uint32_t i = 0; status == OK && i < config->n_venues; i++)
        status = check_venue(config, i, error);
    return status;
}
