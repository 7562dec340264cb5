// Reads order books by ccxt, as it reads them from the exchange itself but for the address, and prints each one that it
// held: {"symbol", "id", "nonce", "timestamp", "bids", "asks"}, ten levels a side, one object a line.
//
// usage: node ccxt_books.mjs CCXT-FOLDER VENUE WS-URL REST-URL SECONDS SYMBOL...
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, venue, ws, rest, seconds, ...ids] = process.argv.slice(2);
const { default: ccxt } = await import(pathToFileURL(path.join(folder, 'node_modules/ccxt/js/ccxt.js')));

function client() {
    if (venue === 'upbit') {
        const exchange = new ccxt.pro.upbit({ enableRateLimit: true });
        exchange.urls.api.public = rest;
        exchange.urls.api.ws = ws + '/websocket/v1';
        return exchange;
    }
    const exchange = new ccxt.pro.binance({ options: { fetchMarkets: { types: ['spot'] }, fetchCurrencies: false } });
    exchange.has.fetchCurrencies = false;
    exchange.urls.api.public = rest + '/api/v3';
    // ccxt tells spot from futures by '/stream' in the url, which the exchange has in its host's name.
    exchange.urls.api.ws.spot = ws + '/ws/stream';
    return exchange;
}

const exchange = client();
await exchange.loadHttpProxyAgent(); // what it asks for where a url is ws:// and not wss://
await exchange.loadMarkets();
const end = Date.now() + Number(seconds) * 1000;
const late = new Promise((resolve) => setTimeout(() => resolve(null), Number(seconds) * 1000));

async function watch(id) {
    const symbol = exchange.safeMarket(id).symbol;
    while (Date.now() < end) {
        const book = await Promise.race([exchange.watchOrderBook(symbol), late]);
        if (book === null) {
            return;
        }
        const { nonce, timestamp } = book;
        const [bids, asks] = [book.bids, book.asks].map((side) => side.slice(0, 10).map(([p, q]) => [p, q]));
        console.log(JSON.stringify({ symbol, id, nonce, timestamp, bids, asks }));
    }
}

try {
    await Promise.all(ids.map(watch));
} catch (error) {
    console.error(`${error.constructor.name}: ${error.message}`);
    process.exitCode = 1;
}
await Promise.race([exchange.close(), new Promise((resolve) => setTimeout(resolve, 2000))]);
process.exit();
