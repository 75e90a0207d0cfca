#!/bin/sh
# Checks the tap with singer-check-tap, against the sandbox, without and with STATE.
#
#     tests/tap/check_tap.sh VENV
#
# VENV is a virtual environment for singer-tools, made if it is not there: singer-tools pins old packages and cannot
# live beside the tap. Run it where `tap-mailing` and `python` are those of the project.
set -eu

venv=${1:?usage: $0 VENV}
if [ ! -x "$venv/bin/singer-check-tap" ]; then
    python -m venv "$venv"
    "$venv/bin/pip" install --quiet "singer-tools==0.4.1"
fi
check=$(cd "$venv/bin" && pwd)/singer-check-tap
tap=$(command -v tap-mailing)

folder=$(mktemp -d)
python -m mailing_sandbox --port 0 --contacts 300 --ready-file "$folder/url" >/dev/null &
sandbox=$!
trap 'kill $sandbox; rm -rf "$folder"' EXIT
while [ ! -s "$folder/url" ]; do
    kill -0 $sandbox
    sleep 0.1
done

cd "$folder"
cat >config.json <<END
{"mailjet_base_url": "$(cat url)", "mailjet_api_key": "sandbox-key", "mailjet_secret_key": "sandbox-secret"}
END
"$check" --tap "$tap" --config config.json
