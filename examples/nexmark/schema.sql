-- The three streams of Nexmark, an online auction. Rows only ever arrive.

CREATE TABLE person (
    id bigint NOT NULL,
    name varchar NOT NULL,
    email_address varchar NOT NULL,
    credit_card varchar NOT NULL,
    city varchar NOT NULL,
    state varchar NOT NULL,
    date_time timestamp NOT NULL,
    extra varchar NOT NULL
) WITH (append_only = true);

CREATE TABLE auction (
    id bigint NOT NULL,
    item_name varchar NOT NULL,
    description varchar NOT NULL,
    initial_bid bigint NOT NULL,
    reserve bigint NOT NULL,
    date_time timestamp NOT NULL,
    expires timestamp NOT NULL,
    seller bigint NOT NULL,
    category bigint NOT NULL,
    extra varchar NOT NULL
) WITH (append_only = true);

CREATE TABLE bid (
    auction bigint NOT NULL,
    bidder bigint NOT NULL,
    price bigint NOT NULL,
    channel varchar NOT NULL,
    url varchar NOT NULL,
    date_time timestamp NOT NULL,
    extra varchar NOT NULL,
    arrived timestamptz NOT NULL DEFAULT now()
) WITH (append_only = true);
