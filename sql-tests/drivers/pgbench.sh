#!/bin/sh
# pgbench: its tables, and its standard script in all three query modes.
set -eu
pgbench --initialize --scale 1 --quiet 2>&1
for mode in simple extended prepared; do
    pgbench --no-vacuum --protocol "$mode" --client 2 --transactions 25 --max-tries 10 2>&1 | tee /dev/stderr |
        grep -q 'number of transactions actually processed: 50/50'
    pgbench --no-vacuum --select-only --protocol "$mode" --transactions 100 2>&1 |
        grep -q 'number of transactions actually processed: 100/100'
done
# Every script moves one amount in the four tables.
psql -X -A -t -v ON_ERROR_STOP=1 <<'SQL' | grep -qx t
SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(bbalance) FROM pgbench_branches)
    AND (SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(delta) FROM pgbench_history)
    AND (SELECT count(*) FROM pgbench_history) = 150;
SQL
