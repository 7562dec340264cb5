#include "lib/runtime/tally.h"

#include <string.h>

#include "lib/base/text.h"

void tally_add(struct tally *tally, const char *name, uint64_t value)
{
    if (tally->n_figures == sizeof tally->figures / sizeof tally->figures[0])
        return;
    struct metric *figure = &tally->figures[tally->n_figures++];
    (void)text_set(figure->name, sizeof figure->name, name);
    figure->value = (int64_t)value;
}

void tally_tell(struct tally *tally, const struct tally_figure *figures, size_t n, const void *state)
{
    for (size_t i = 0; i < n; i++) {
        const char *at = (const char *)state + figures[i].at;
        uint64_t value;
        if (figures[i].kind == TALLY_FLAG)
            value = *(const bool *)at;
        else
            memcpy(&value, at, sizeof value);
        tally_add(tally, figures[i].name, value);
    }
}

bool tally_restore(const struct metric *told, const struct tally_figure *figures, size_t n, void *state)
{
    const uint64_t value = (uint64_t)told->value;
    for (size_t i = 0; i < n; i++) {
        char *at = (char *)state + figures[i].at;
        if (strcmp(told->name, figures[i].name) != 0)
            continue;
        if (figures[i].kind == TALLY_FLAG)
            *(bool *)at = value != 0;
        else
            memcpy(at, &value, sizeof value);
        return true;
    }
    return false;
}
