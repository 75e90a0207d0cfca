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
if [ -e "$folder/pid" ] && kill -0 "$(cat "$folder/pid")" 2> /dev/null; then
    echo "Another cycle is running: process $(cat "$folder/pid"). If it is none, delete $folder" >&2
    exit 1
fi
rm -rf "$folder"
mkdir "$folder"
echo $$ > "$folder/pid"
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM

# A listing that is incomplete must not count: nothing is loaded unless the tap has read everything.
tap-mailing --config=ENV --catalog="$here/read.json" > "$folder/read.singer"
psql --quiet --set=ON_ERROR_STOP=1 --command='SET client_min_messages = warning' \
    --command='DROP SCHEMA IF EXISTS opt_outs_read CASCADE' "$WAREHOUSE_URL"
target-postgres --config=ENV < "$folder/read.singer" > /dev/null
PGOPTIONS="${PGOPTIONS:-} -c opt_outs.mode=${TARGET_MAILING_MODE:-deliver}" \
    psql --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 --file="$here/record.sql" "$WAREHOUSE_URL"

tap-postgres --config=ENV --catalog="$here/send.json" > "$folder/send.singer"
status=0
for place in mailjet ses_contacts ses_suppressions postgrid; do
    echo "To $place:" >&2
    grep -F "\"stream\":\"opt_outs-to_$place\"" "$folder/send.singer" > "$folder/$place.singer" || {
        echo "tap-postgres wrote no stream for $place: see send.json" >&2
        exit 1
    }
    # If one provider cannot be written to, the others are told all the same.
    target-mailing --config=ENV --config="$here/$place.json" < "$folder/$place.singer" || status=1
done
exit $status
