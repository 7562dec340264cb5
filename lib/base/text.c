/* Fixed text fields, and "did you mean". */
#include "lib/base/text.h"

#include <string.h>

enum { NAME_MAX_LEN = 64 };

bool text_set(char *field, size_t cap, const char *text)
{
    size_t len = strnlen(text, cap);
    bool fits = len < cap;
    if (!fits) {
        len = 0;
    }
    memcpy(field, text, len);
    memset(field + len, 0, cap - len);
    return fits;
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Edits between a and b: insert, delete, replace, swap two neighbours. Three rows of the table are enough. */
static int edit_distance(const char *a, int a_len, const char *b, int b_len)
{
    int rows[3][NAME_MAX_LEN + 1];
    int *before = rows[0], *above = rows[1], *row = rows[2];
    for (int j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (int i = 1; i <= a_len; i++) {
        int *spare = before;
        before = above;
        above = row;
        row = spare;
        row[0] = i;
        for (int j = 1; j <= b_len; j++) {
            row[j] = least(above[j - 1] + (a[i - 1] != b[j - 1]), least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = least(row[j], before[j - 2] + 1);
            }
        }
    }
    return row[b_len];
}

const char *text_nearest(const char *name, const char *const *names)
{
    int len = (int)strnlen(name, NAME_MAX_LEN + 1);
    const char *nearest = NULL;
    int nearest_distance = 0;
    if (len > NAME_MAX_LEN) {
        return NULL;
    }
    for (; *names != NULL; names++) {
        int other_len = (int)strnlen(*names, NAME_MAX_LEN + 1);
        if (other_len > NAME_MAX_LEN) {
            continue;
        }
        int longer = len > other_len ? len : other_len;
        int bound = longer < 6 ? longer - 1 < 1 ? 0 : 1 : longer / 3;
        int distance = edit_distance(name, len, *names, other_len);
        if (distance <= bound && (nearest == NULL || distance < nearest_distance)) {
            nearest = *names;
            nearest_distance = distance;
        }
    }
    return nearest;
}

bool text_begins_with_one_of(const char *text, const char *prefixes)
{
    while (*prefixes != '\0') {
        size_t len = strcspn(prefixes, ",");
        if (len > 0 && strncmp(text, prefixes, len) == 0)
            return true;
        prefixes += len + (prefixes[len] == ',');
    }
    return false;
}
