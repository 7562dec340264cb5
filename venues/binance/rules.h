/* What differs between the four Binance markets: urls, names, fees, and the rule by which diffs join. */
#ifndef SLUICE_VENUES_BINANCE_RULES_H
#define SLUICE_VENUES_BINANCE_RULES_H

#include "venues/market.h"

struct binance_rules {
    const char *venue;
    enum contract_kind kind;
    bool chained; /* futures: a diff names the one before it ("pu"), and update ids are not contiguous */
    struct dec taker_bps; /* of a new account, where no instrument file and no config says otherwise */
    struct dec maker_bps;
};

extern const struct binance_rules binance_spot_rules;
extern const struct binance_rules binance_us_rules;
extern const struct binance_rules binance_usdm_rules;
extern const struct binance_rules binance_coinm_rules;

/* The market whose url this is; NULL for any other. */
const struct binance_rules *binance_rules_of_url(const char *url);

/* Names the instrument of a venue symbol, with the market's standard fees, what the file tells over these, and what the
 * exchange itself tells over both (either may be NULL). A
 * name that cannot be split (an unknown quote, a dated future) leaves inst->symbol empty. */
void binance_instrument(const struct binance_rules *rules, const char *name,
                        const struct instrument_file *file, const struct instrument_file *told, struct inst *inst);

/* What a diff is to a book. */
enum join {
    JOIN_OLD,  /* the book has it already */
    JOIN_NEXT, /* it continues the book */
    JOIN_GAP   /* something between the book and it is missing */
};

struct diff_ids {
    uint64_t first;    /* "U" */
    uint64_t last;     /* "u" */
    uint64_t previous; /* "pu", futures only */
};

/* last: update id that the book has reached. fresh: it is a snapshot's, and no diff has been joined since. */
enum join binance_join(const struct binance_rules *rules, uint64_t last, bool fresh, struct diff_ids diff);

#endif
