/* The emulated venues. */
#include "venues/emulator/emulation.h"

#include <string.h>

#include "venues/binance/emulation.h"
#include "venues/kraken/emulation.h"
#include "venues/okx/emulation.h"
#include "venues/upbit/emulation.h"

const struct emulation *const emulations_all[] = {
    &binance_emulation, &binance_us_emulation, &binance_usdm_emulation, &binance_coinm_emulation,
    &upbit_emulation,   &okx_emulation,        &kraken_emulation,       NULL};

const struct emulation *emulation_named(const char *venue)
{
    for (const struct emulation *const *e = emulations_all; *e; e++)
        if (strcmp((*e)->venue, venue) == 0)
            return *e;
    return NULL;
}

/* The recordings tell a step by the digits that they have. */
struct dec emulated_tick(const struct inst *inst)
{
    return inst->tick.m > 0 ? inst->tick : (struct dec){1, (int8_t)inst->price_exp};
}

struct dec emulated_lot(const struct inst *inst)
{
    return inst->lot.m > 0 ? inst->lot : (struct dec){1, (int8_t)inst->qty_exp};
}
