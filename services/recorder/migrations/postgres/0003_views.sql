-- Views of a run: the same names and columns in SQLite and in Postgres.

-- Each order as it is now: its record at the highest position.
CREATE VIEW orders AS
SELECT DISTINCT ON (run, client_id) * FROM order_events ORDER BY run, client_id, pos DESC;

-- Last prices: the middle of the best two, or the one that is there; NULL where there is none.
CREATE VIEW mids AS
SELECT run, symbol, venue, base, quote,
    trim_scale(COALESCE((bid + ask) / 2, bid, ask)) AS price
FROM marks;

-- What the account holds: the last word on each instrument, where it is not zero. `value` is in the quote currency.
CREATE VIEW open_positions AS
SELECT p.run, p.venue, p.symbol, p.quote, p.qty, p.cash, p.fees, m.price AS mark,
    trim_scale(p.qty * m.price) AS value, p.ts_ns, p.ts
FROM (SELECT run, venue, symbol, quote, qty, cash, fees, ts_ns, ts,
        ROW_NUMBER() OVER (PARTITION BY run, venue, symbol ORDER BY pos DESC) AS nth
    FROM positions) p
LEFT JOIN mids m ON m.run = p.run AND m.venue = p.venue AND m.symbol = p.symbol
WHERE p.nth = 1 AND p.qty <> 0;

-- Profit of each route by day (UTC), in the reporting currency: of each instrument what was both bought and sold that
-- day is `realised`, at its average prices; what is left of the day is `open`, valued at the last prices. A position
-- carried over midnight is in `open` on both days; the sum over the days is the run's. Fills without a known rate to
-- the reporting currency (fx = 0) are only counted; an instrument without a last price is valued at its cost, and
-- counted in `unmarked`. Fees in a third currency are not in it.
CREATE VIEW pnl AS
WITH last_limits AS (
    SELECT run, currency FROM (
        SELECT run, currency, ROW_NUMBER() OVER (PARTITION BY run ORDER BY pos DESC) AS nth FROM limits) l
    WHERE nth = 1
), rates AS (
    SELECT run, quote, rate FROM (
        SELECT run, quote, rate, ROW_NUMBER() OVER (PARTITION BY run, quote ORDER BY turned, symbol, venue) AS nth
        FROM (
            SELECT l.run, l.currency AS quote, 1::NUMERIC AS rate, 0 AS turned, '' AS symbol, '' AS venue
            FROM last_limits l
            UNION ALL
            SELECT m.run, m.base, m.price, 1, m.symbol, m.venue
            FROM mids m JOIN last_limits l ON l.run = m.run AND l.currency = m.quote WHERE m.price > 0
            UNION ALL
            SELECT m.run, m.quote, 1::NUMERIC / m.price, 2, m.symbol, m.venue
            FROM mids m JOIN last_limits l ON l.run = m.run AND l.currency = m.base WHERE m.price > 0) r) r
    WHERE nth = 1
), told AS (
    SELECT run, route, (ts AT TIME ZONE 'UTC')::DATE AS day, venue, symbol, quote, side, qty AS qty,
        price * qty * fx AS notional,
        CASE fee_currency WHEN quote THEN fee * fx WHEN base THEN fee * price * fx ELSE 0 END AS fee,
        CASE WHEN fx = 0 THEN 0 ELSE 1 END AS known
    FROM fills
), legs AS (
    SELECT run, route, day, venue, symbol, quote, COUNT(*) AS fills, COUNT(*) - SUM(known) AS fills_without_fx,
        SUM(CASE WHEN side = 'buy' THEN known * qty ELSE 0 END) AS bought,
        SUM(CASE WHEN side = 'sell' THEN known * qty ELSE 0 END) AS sold,
        SUM(CASE WHEN side = 'buy' THEN notional ELSE 0 END) AS paid,
        SUM(CASE WHEN side = 'sell' THEN notional ELSE 0 END) AS received,
        SUM(fee) AS fees
    FROM told GROUP BY run, route, day, venue, symbol, quote
), marked AS (
    SELECT l.*, m.price * r.rate AS mark,
        CASE WHEN sold > bought THEN received * bought / sold - paid
            WHEN bought > sold THEN received - paid * sold / bought
            ELSE received - paid END AS realised
    FROM legs l
    LEFT JOIN mids m ON m.run = l.run AND m.venue = l.venue AND m.symbol = l.symbol
    LEFT JOIN rates r ON r.run = l.run AND r.quote = l.quote
), valued AS (
    SELECT marked.*, COALESCE(received - paid + (bought - sold) * mark, realised) AS gross FROM marked
)
SELECT run, route, day, SUM(fills) AS fills, SUM(fills_without_fx) AS fills_without_fx,
    SUM(CASE WHEN mark IS NULL AND bought <> sold THEN 1 ELSE 0 END) AS unmarked,
    trim_scale(ROUND(SUM(paid + received), 12)) AS volume,
    trim_scale(ROUND(SUM(fees), 12)) AS fees,
    trim_scale(ROUND(SUM(realised), 12)) AS realised,
    trim_scale(ROUND(SUM(gross - realised), 12)) AS open,
    trim_scale(ROUND(SUM(gross - fees), 12)) AS net
FROM valued GROUP BY run, route, day;

-- What each fill cost against the best price of the book that was decided on; negative is better than that.
-- `slippage_quote` is the whole fill's, in the quote currency.
CREATE VIEW slippage AS
SELECT run, stream, epoch, pos, ts_ns, ts, route, venue, symbol, quote, side, client_id, price, decided_price, qty,
    trim_scale(ROUND(worse / decided_price * 10000, 6)) AS slippage_bps,
    trim_scale(ROUND(worse * qty, 12)) AS slippage_quote
FROM (SELECT run, stream, epoch, pos, ts_ns, ts, route, venue, symbol, quote, side, client_id, price, decided_price,
        qty, CASE side WHEN 'buy' THEN price - decided_price ELSE decided_price - price END AS worse
    FROM fills WHERE decided_price <> 0) f;

-- Where the time of a trade went: nanoseconds from one hop to the next over all first attempts, on the host's monotonic
-- clock. A percentile is the smallest span that at least so many of them do not exceed.
CREATE VIEW latency AS
WITH stamps AS (
    SELECT run, client_id, MAX(trace_recv_mono) AS tick, MAX(hop_feed_out) AS feed_out,
        MAX(hop_strategy_in) AS strategy_in, MAX(hop_strategy_out) AS strategy_out, MAX(hop_risk_in) AS risk_in,
        MAX(hop_risk_out) AS risk_out, MAX(hop_exec_in) AS exec_in, MAX(hop_exec_out) AS exec_out,
        MAX(hop_exec_fill) AS exec_fill
    FROM (
        SELECT run, client_id, attempt, trace_recv_mono, hop_feed_out, hop_strategy_in, hop_strategy_out, hop_risk_in,
            hop_risk_out, hop_exec_in, hop_exec_out, hop_exec_fill FROM order_events
        UNION ALL
        SELECT run, client_id, NULL, trace_recv_mono, hop_feed_out, hop_strategy_in, hop_strategy_out, hop_risk_in,
            hop_risk_out, hop_exec_in, hop_exec_out, hop_exec_fill FROM fills) t
    GROUP BY run, client_id HAVING MAX(attempt) = 0
), spans AS (
    SELECT run, 'tick_to_feed_out' AS hop, feed_out - tick AS ns FROM stamps
        WHERE tick <> 0 AND feed_out <> 0
    UNION ALL
    SELECT run, 'feed_out_to_strategy_in' AS hop, strategy_in - feed_out AS ns FROM stamps
        WHERE feed_out <> 0 AND strategy_in <> 0
    UNION ALL
    SELECT run, 'strategy_in_to_out' AS hop, strategy_out - strategy_in AS ns FROM stamps
        WHERE strategy_in <> 0 AND strategy_out <> 0
    UNION ALL
    SELECT run, 'strategy_out_to_risk_in' AS hop, risk_in - strategy_out AS ns FROM stamps
        WHERE strategy_out <> 0 AND risk_in <> 0
    UNION ALL
    SELECT run, 'risk_in_to_out' AS hop, risk_out - risk_in AS ns FROM stamps
        WHERE risk_in <> 0 AND risk_out <> 0
    UNION ALL
    SELECT run, 'risk_out_to_exec_in' AS hop, exec_in - risk_out AS ns FROM stamps
        WHERE risk_out <> 0 AND exec_in <> 0
    UNION ALL
    SELECT run, 'exec_in_to_order_sent' AS hop, exec_out - exec_in AS ns FROM stamps
        WHERE exec_in <> 0 AND exec_out <> 0
    UNION ALL
    SELECT run, 'order_sent_to_fill' AS hop, exec_fill - exec_out AS ns FROM stamps
        WHERE exec_out <> 0 AND exec_fill <> 0
    UNION ALL
    SELECT run, 'tick_to_order' AS hop, exec_out - tick AS ns FROM stamps
        WHERE tick <> 0 AND exec_out <> 0
)
SELECT run, hop, COUNT(*) AS n, percentile_disc(0.5) WITHIN GROUP (ORDER BY ns) AS p50_ns,
    percentile_disc(0.9) WITHIN GROUP (ORDER BY ns) AS p90_ns,
    percentile_disc(0.99) WITHIN GROUP (ORDER BY ns) AS p99_ns, MAX(ns) AS max_ns
FROM spans GROUP BY run, hop;

-- What the gate turned down, by the hour (UTC). One decision may stand for many intents: `rejects` counts them.
CREATE VIEW rejects AS
SELECT run, date_trunc('hour', ts, 'UTC') AS hour, tier, reason, route, SUM("count") AS rejects
FROM decisions WHERE verdict IN ('reject', 'cool-down')
GROUP BY run, date_trunc('hour', ts, 'UTC'), tier, reason, route;
