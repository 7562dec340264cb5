/* Every strategy there is: a new one is a file of its own and a line here. */
#include <string.h>

#include "strategies/strategy.h"

extern const struct strategy_ops arb_strategy;

const struct strategy_ops *const strategies_all[] = {&arb_strategy, NULL};

const struct strategy_ops *strategy_named(const char *name)
{
    for (const struct strategy_ops *const *s = strategies_all; *s; s++) {
        if (strcmp((*s)->name, name) == 0)
            return *s;
    }
    return NULL;
}
