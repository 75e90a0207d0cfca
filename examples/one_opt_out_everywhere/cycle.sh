#!/bin/sh
# One cycle: reads the opt-outs of all providers, records them, and sends to each what it does not hold.
# After a failure or a kill, run it again.
set -eu
umask 077
here=$(dirname "$0")
export PGTZ=UTC
export TARGET_POSTGRES_SQLALCHEMY_URL="$WAREHOUSE_URL" TAP_POSTGRES_SQLALCHEMY_URL="$WAREHOUSE_URL"
export TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA=opt_outs_read TAP_POSTGRES_FILTER_SCHEMAS='["opt_outs"]'
export TARGET_POSTGRES_LOGLEVEL="${TARGET_POSTGRES_LOGLEVEL:-WARNING}"
export TAP_POSTGRES_LOGLEVEL="${TAP_POSTGRES_LOGLEVEL:-WARNING}"
export TAP_MAILING_LOGLEVEL="${TAP_MAILING_LOGLEVEL:-WARNING}"
# It holds addresses: removed at the end, and after a kill by the next cycle.
folder=$here/cycle.tmp
# One cycle at a time. All that it starts holds the lock, too, so that after a kill of this shell alone nothing overlaps.
command -v flock > /dev/null || {
    echo "cycle.sh needs flock, of util-linux: see README.md" >&2
    exit 1
}
exec 9> "$here/cycle.lock"
flock --nonblock 9 || {
    echo "Another cycle is running, or what a killed one has started" >&2
    exit 1
}
rm -rf "$folder"
mkdir "$folder"

# Runs a program with a file as its input. A signal to this shell ends it at once; one in the foreground would be awaited.
step() {
    input=$1 running=yes code=0
    shift
    "$@" < "$input" &
    wait $! || code=$?
    running=
    return $code
}
stop() {
    trap '' HUP INT TERM
    [ -z "$running" ] || kill -TERM $! || true
    wait
    exit "$1"
}
running=
trap 'rm -rf "$folder"' EXIT
trap 'stop 129' HUP
trap 'stop 130' INT
trap 'stop 143' TERM

# A listing that is incomplete must not count: nothing is loaded unless the tap has read everything.
step /dev/null tap-mailing --config=ENV --catalog="$here/read.json" > "$folder/read.singer"
step /dev/null psql --quiet --set=ON_ERROR_STOP=1 --command='SET client_min_messages = warning' \
    --command='DROP SCHEMA IF EXISTS opt_outs_read CASCADE' "$WAREHOUSE_URL"
step "$folder/read.singer" target-postgres --config=ENV > /dev/null
step /dev/null env PGOPTIONS="${PGOPTIONS:-} -c opt_outs.mode=${TARGET_MAILING_MODE:-deliver}" \
    psql --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 --file="$here/record.sql" "$WAREHOUSE_URL"

step /dev/null tap-postgres --config=ENV --catalog="$here/send.json" > "$folder/send.singer"
status=0
for place in mailjet ses_contacts ses_suppressions postgrid; do
    echo "To $place:" >&2
    grep -F "\"stream\":\"opt_outs-to_$place\"" "$folder/send.singer" > "$folder/$place.singer" || {
        echo "tap-postgres wrote no stream for $place: see send.json" >&2
        exit 1
    }
    # If one provider cannot be written to, the others are told all the same.
    step "$folder/$place.singer" target-mailing --config=ENV --config="$here/$place.json" || status=1
done
exit $status
