/* The parts of a url that tell whose message it carried. */
#ifndef SLUICE_VENUES_URL_H
#define SLUICE_VENUES_URL_H

#include <stdbool.h>
#include <stddef.h>

struct url {
    const char *host; /* without port */
    size_t host_len;
    const char *path; /* from its '/' to before '?' */
    size_t path_len;
    const char *query; /* behind '?'; empty where there is none */
};

/* false: not scheme://host... */
bool url_read(const char *text, struct url *out);

/* Host names know no case. */
bool url_host_is(const struct url *url, const char *name);
bool url_host_ends(const struct url *url, const char *end);
bool url_path_begins(const struct url *url, const char *begin);
bool url_path_ends(const struct url *url, const char *end);

/* The value of a query parameter, percent-decoded, NUL-terminated; false when it is absent or too long. */
bool url_query(const struct url *url, const char *name, char *out, size_t cap);

#endif
