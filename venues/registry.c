/* The venues that are built in: to add one, add its folder and its line here. */
#include <string.h>

#include "venues/binance/binance.h"
#include "venues/kraken/kraken.h"
#include "venues/okx/okx.h"
#include "venues/upbit/upbit.h"

const struct venue_ops *const venues_all[] = {
    &binance_spot, &binance_us, &binance_usdm, &binance_coinm, &upbit, &okx, &kraken, NULL,
};

const struct venue_ops *venue_of_url(const char *url)
{
    for (const struct venue_ops *const *venue = venues_all; *venue; venue++) {
        if ((*venue)->owns_url(url))
            return *venue;
    }
    return NULL;
}

const struct venue_ops *venue_named(const char *name)
{
    for (const struct venue_ops *const *venue = venues_all; *venue; venue++) {
        if (strcmp((*venue)->name, name) == 0)
            return *venue;
    }
    return NULL;
}
