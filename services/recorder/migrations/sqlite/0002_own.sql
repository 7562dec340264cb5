-- What is not of the dictionary: the recorder's own, and the indexes that the views and a trader's questions need.

-- How far each ledger is stored: moved in the transaction that stores its rows.
CREATE TABLE stored_positions (
    run TEXT NOT NULL,
    reader TEXT NOT NULL,
    stream TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    pos BIGINT NOT NULL,
    PRIMARY KEY (run, reader, stream)
) WITHOUT ROWID;

-- Last best prices of each instrument: what open positions are valued at.
CREATE TABLE marks (
    run TEXT NOT NULL,
    symbol TEXT NOT NULL,
    venue TEXT NOT NULL,
    base TEXT,
    quote TEXT,
    state TEXT,
    bid TEXT,
    ask TEXT,
    price_time BIGINT,
    PRIMARY KEY (run, symbol, venue)
) WITHOUT ROWID;

-- Messages that the database would not take, whole, with its reason.
CREATE TABLE refused_rows (
    run TEXT NOT NULL,
    stream TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    pos BIGINT NOT NULL,
    ts_ns BIGINT NOT NULL,
    type TEXT NOT NULL,
    error TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (run, stream, epoch, pos)
) WITHOUT ROWID;

CREATE INDEX order_events_client_id ON order_events (run, client_id);
CREATE INDEX fills_client_id ON fills (run, client_id);
CREATE INDEX route_states_route ON route_states (run, route, pos);
CREATE INDEX positions_instrument ON positions (run, venue, symbol, pos);
