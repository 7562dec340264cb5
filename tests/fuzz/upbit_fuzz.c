/* No message crashes Upbit's parser, and no LIVE book is out of order. */
#include <stdint.h>

#include "tests/fuzz/market_frames.h"
#include "venues/upbit/upbit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    play_lines(&upbit, "wss://api.upbit.com/websocket/v1", (const char *)data, size);
    return 0;
}
