#!/bin/sh
# Creates or updates the two databases of the Temporal server. Changes nothing where they are current.
# Runs in temporalio/admin-tools, with SQL_PLUGIN, SQL_HOST, SQL_PORT, SQL_USER and SQL_PASSWORD set.
set -eu

schemas=/etc/temporal/schema/postgresql/v12

set_up() {
  temporal-sql-tool --db "$1" create
  temporal-sql-tool --db "$1" setup-schema -v 0.0
  temporal-sql-tool --db "$1" update-schema -d "$schemas/$2/versioned"
}

set_up temporal temporal
set_up temporal_visibility visibility
