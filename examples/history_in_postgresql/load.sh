#!/bin/sh
# Loads the history files of runs that have ended, and moves them to the folder `loaded` in their folder.
#   load.sh FOLDER SETTINGS
# FOLDER has the files; SETTINGS is the file of target-postgres.
set -eu
folder=$1 settings=$2
set -- "$folder"/history-*.singer
if [ ! -e "$1" ]; then
    echo "No history to load"
    exit
fi
mkdir -p "$folder/loaded"
export TARGET_POSTGRES_LOGLEVEL="${TARGET_POSTGRES_LOGLEVEL:-WARNING}"
for file; do
    [ -r "$file" ] || { echo "Cannot be read: $file" >&2; exit 1; }
done
cat "$@" | target-postgres --config="$settings" > /dev/null
mv "$@" "$folder/loaded/"
echo "Files loaded: $#"
