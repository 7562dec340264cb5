-- Latency as `sluice lat --from` counts it: hops up to the gate's word of each decision; behind it of each order of a basket's
-- first attempt, by its first record that knows when it was sent; the venue's of its first fill. A stamp of another boot is 0.
DROP VIEW latency;
CREATE VIEW latency AS
WITH events AS (
    SELECT run, client_id, trace_recv_mono, hop_feed_out, hop_strategy_in, hop_strategy_out, hop_risk_in, hop_risk_out,
        hop_exec_in, hop_exec_out,
        ROW_NUMBER() OVER (PARTITION BY run, client_id ORDER BY epoch, pos) AS nth
    FROM order_events WHERE attempt = 0 AND hop_exec_out <> 0
), sent AS (
    SELECT run, client_id, trace_recv_mono, hop_feed_out, hop_strategy_in, hop_strategy_out, hop_risk_in, hop_risk_out,
        hop_exec_in, hop_exec_out,
        trace_recv_mono <> 0 AND hop_feed_out <> 0 AND hop_strategy_in <> 0 AND hop_strategy_out <> 0 AND
        hop_risk_in <> 0 AND hop_risk_out <> 0 AND hop_exec_in <> 0 AND hop_exec_out <> 0 AS whole
    FROM events WHERE nth = 1
), executed AS (
    SELECT run, client_id, trace_recv_mono, hop_exec_out, hop_exec_fill,
        ROW_NUMBER() OVER (PARTITION BY run, client_id ORDER BY epoch, pos) AS nth FROM fills
), firsts AS (
    SELECT DISTINCT run, client_id FROM order_events WHERE attempt = 0
), filled AS (
    SELECT e.* FROM executed e JOIN firsts f ON f.run = e.run AND f.client_id = e.client_id WHERE e.nth = 1
), spans AS (
    SELECT run, 'tick_to_feed_out' AS hop, 'process' AS kind, hop_feed_out - trace_recv_mono AS ns
        FROM decisions WHERE trace_recv_mono <> 0 AND hop_feed_out <> 0
    UNION ALL
    SELECT run, 'feed_out_to_strategy_in' AS hop, 'transport' AS kind, hop_strategy_in - hop_feed_out AS ns
        FROM decisions WHERE hop_feed_out <> 0 AND hop_strategy_in <> 0
    UNION ALL
    SELECT run, 'strategy_in_to_out' AS hop, 'process' AS kind, hop_strategy_out - hop_strategy_in AS ns
        FROM decisions WHERE hop_strategy_in <> 0 AND hop_strategy_out <> 0
    UNION ALL
    SELECT run, 'strategy_out_to_risk_in' AS hop, 'transport' AS kind, hop_risk_in - hop_strategy_out AS ns
        FROM decisions WHERE hop_strategy_out <> 0 AND hop_risk_in <> 0
    UNION ALL
    SELECT run, 'risk_in_to_out' AS hop, 'process' AS kind, hop_risk_out - hop_risk_in AS ns
        FROM decisions WHERE hop_risk_in <> 0 AND hop_risk_out <> 0
    UNION ALL
    SELECT run, 'risk_out_to_exec_in' AS hop, 'transport' AS kind, hop_exec_in - hop_risk_out AS ns
        FROM sent WHERE hop_risk_out <> 0 AND hop_exec_in <> 0
    UNION ALL
    SELECT run, 'exec_in_to_order_sent' AS hop, 'process' AS kind, hop_exec_out - hop_exec_in AS ns
        FROM sent WHERE hop_exec_in <> 0 AND hop_exec_out <> 0
    UNION ALL
    SELECT run, 'order_sent_to_fill' AS hop, 'venue' AS kind, hop_exec_fill - hop_exec_out AS ns
        FROM filled WHERE hop_exec_out <> 0 AND hop_exec_fill <> 0
    UNION ALL
    SELECT run, 'in_process', 'process', hop_feed_out - trace_recv_mono + hop_strategy_out - hop_strategy_in + hop_risk_out
        - hop_risk_in + hop_exec_out - hop_exec_in FROM sent WHERE whole
    UNION ALL
    SELECT run, 'in_transport', 'transport', hop_strategy_in - hop_feed_out + hop_risk_in - hop_strategy_out + hop_exec_in
        - hop_risk_out FROM sent WHERE whole
    UNION ALL
    SELECT run, 'tick_to_decision' AS hop, 'total' AS kind, hop_risk_out - trace_recv_mono AS ns
        FROM decisions WHERE trace_recv_mono <> 0 AND hop_risk_out <> 0
    UNION ALL
    SELECT run, 'tick_to_order' AS hop, 'total' AS kind, hop_exec_out - trace_recv_mono AS ns
        FROM sent WHERE trace_recv_mono <> 0 AND hop_exec_out <> 0
    UNION ALL
    SELECT run, 'tick_to_fill' AS hop, 'total' AS kind, hop_exec_fill - trace_recv_mono AS ns
        FROM filled WHERE trace_recv_mono <> 0 AND hop_exec_fill <> 0
)
SELECT run, hop, MAX(kind) AS kind, MAX(n) AS n, MIN(CASE WHEN nth * 100 >= n * 50 THEN ns END) AS p50_ns,
    MIN(CASE WHEN nth * 100 >= n * 90 THEN ns END) AS p90_ns, MIN(CASE WHEN nth * 100 >= n * 99 THEN ns END) AS p99_ns,
    MIN(CASE WHEN nth * 1000 >= n * 999 THEN ns END) AS p999_ns, MAX(ns) AS max_ns
FROM (SELECT run, hop, kind, ns, COUNT(*) OVER (PARTITION BY run, hop) AS n,
        ROW_NUMBER() OVER (PARTITION BY run, hop ORDER BY ns) AS nth FROM spans) s
GROUP BY run, hop;
