#!/bin/sh
# Creates the namespace and the search attributes that the workflows write. Changes nothing where they are there.
# Needs the Temporal CLI and TEMPORAL_ADDRESS; TEMPORAL_NAMESPACE and RETENTION may be set.
set -eu

namespace=${TEMPORAL_NAMESPACE:-default}

attempts=30
until temporal operator cluster health >/dev/null 2>&1; do
  attempts=$((attempts - 1))
  if [ "$attempts" -eq 0 ]; then
    echo "Temporal at ${TEMPORAL_ADDRESS:-127.0.0.1:7233} does not answer" >&2
    exit 1
  fi
  sleep 1
done

# Histories of ended runs are kept this long for a look in the UI; the books are in the ledger.
temporal operator namespace describe --namespace "$namespace" >/dev/null 2>&1 ||
  temporal operator namespace create --namespace "$namespace" --retention "${RETENTION:-30d}"

# A namespace that was just made is known to every part of the server only after a moment.
attempts=30
until temporal operator search-attribute create --namespace "$namespace" \
  --name CustomerUid --type Keyword \
  --name CustomerId --type Keyword \
  --name PlanId --type Keyword \
  --name SubscriptionStatus --type Keyword \
  --name PgProvider --type Keyword \
  --name Parked --type Keyword \
  --name NextChargeAt --type Datetime \
  --name FailedAttempts --type Int; do
  attempts=$((attempts - 1))
  if [ "$attempts" -eq 0 ]; then exit 1; fi
  sleep 1
done
