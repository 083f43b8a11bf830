#!/bin/sh
# dbt: seeds, views, tables, incremental models and materialized views, built, built again, and documented.
set -eu
cd "$(dirname "$0")/dbt"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export DBT_PROFILES_DIR="$PWD" DBT_TARGET_PATH="$work/target" DBT_LOG_PATH="$work/logs"
dbt build
dbt docs generate
