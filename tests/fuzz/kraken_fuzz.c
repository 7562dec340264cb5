/* No message crashes Kraken's parser, and no LIVE book is out of order. */
#include <stdint.h>

#include "tests/fuzz/market_frames.h"
#include "venues/kraken/kraken.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    play_lines(&kraken, "https://api.kraken.com/0/public/AssetPairs", (const char *)data, size);
    return 0;
}
