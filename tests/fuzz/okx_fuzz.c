/* No message crashes OKX's parser, and no LIVE book is out of order. */
#include <stdint.h>

#include "tests/fuzz/market_frames.h"
#include "venues/okx/okx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    play_lines(&okx, "https://www.okx.com/api/v5/public/instruments?instType=SPOT", (const char *)data, size);
    return 0;
}
