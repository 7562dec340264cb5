/* No message crashes Binance's parser, and no LIVE book is out of order. An input that begins with 'f' plays
 * on the futures market. */
#include <stdint.h>

#include "tests/fuzz/market_frames.h"
#include "venues/binance/binance.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    if (size > 0 && text[0] == 'f')
        play_lines(&binance_usdm, "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT", text + 1,
                   size - 1);
    else
        play_lines(&binance_spot, "https://api.binance.com/api/v3/depth?symbol=BTCUSDT", text, size);
    return 0;
}
