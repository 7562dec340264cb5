/* Reading urls, no further than a venue's messages need it. */
#include "venues/url.h"

#include <string.h>
#include <strings.h>

bool url_read(const char *text, struct url *out)
{
    const char *host = strstr(text, "://");
    if (!host)
        return false;
    host += 3;
    size_t authority = strcspn(host, "/?#");
    out->host = host;
    out->host_len = strcspn(host, ":/?#");
    out->path = host + authority;
    out->path_len = strcspn(out->path, "?#");
    const char *end = out->path + out->path_len;
    out->query = *end == '?' ? end + 1 : "";
    return out->host_len > 0;
}

bool url_host_is(const struct url *url, const char *name)
{
    return strlen(name) == url->host_len && strncasecmp(url->host, name, url->host_len) == 0;
}

bool url_host_ends(const struct url *url, const char *end)
{
    size_t len = strlen(end);
    return len <= url->host_len && strncasecmp(url->host + url->host_len - len, end, len) == 0;
}

bool url_path_begins(const struct url *url, const char *begin)
{
    size_t len = strlen(begin);
    return len <= url->path_len && memcmp(url->path, begin, len) == 0;
}

bool url_path_ends(const struct url *url, const char *end)
{
    size_t len = strlen(end);
    return len <= url->path_len && memcmp(url->path + url->path_len - len, end, len) == 0;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool decode(const char *text, size_t len, char *out, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '%' && i + 2 < len && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
            c = (char)(hex(text[i + 1]) * 16 + hex(text[i + 2]));
            i += 2;
        }
        if (n + 1 >= cap || c == '\0')
            return false;
        out[n++] = c;
    }
    out[n] = '\0';
    return true;
}

bool url_query(const struct url *url, const char *name, char *out, size_t cap)
{
    size_t name_len = strlen(name);
    const char *p = url->query;
    while (*p && *p != '#') {
        size_t len = strcspn(p, "&#");
        if (len > name_len && p[name_len] == '=' && memcmp(p, name, name_len) == 0)
            return decode(p + name_len + 1, len - name_len - 1, out, cap);
        p += len;
        p += *p == '&';
    }
    return false;
}
