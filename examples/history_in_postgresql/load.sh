#!/bin/sh
# Loads the history files of runs that have ended, and moves each to the folder `loaded` beside them.
#   load.sh FOLDER SETTINGS
# FOLDER has the files; SETTINGS is the file of target-postgres.
set -eu
mkdir -p "$1/loaded"
for file in "$1"/history-*.singer; do
    [ -e "$file" ] || continue # there is none
    target-postgres --config="$2" --input="$file" > /dev/null
    mv "$file" "$1/loaded/"
done
