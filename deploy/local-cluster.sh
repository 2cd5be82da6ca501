#!/usr/bin/env bash
# Replicas of the API behind nginx on this machine, until Ctrl-C (docs/replicas.md).
#   deploy/local-cluster.sh [REPLICAS] [PORT]
# nginx listens on PORT (8080), the replicas on the ports behind it. The workspace is what DETECTOR_HOME and DATABASE_URL
# name; a key has to be set. A replica that dies is started again after a second, as an orchestrator would.
set -euo pipefail
replicas=${1:-3} port=${2:-8080}
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python}
nginx=$(PATH=$PATH:/usr/sbin command -v nginx) || { echo "nginx is not installed: apt-get install nginx-light" >&2; exit 2; }

folder=$(mktemp -d)
chmod 711 "$folder"
{
    sed '/^ *server .*/,$d' "$here/nginx/replicas.conf"
    options=$(sed -n 's/^ *server [^ ]* *\(max_fails.*\)$/\1/p;' "$here/nginx/replicas.conf" | head -n 1)
    for number in $(seq "$replicas"); do echo "    server 127.0.0.1:$((port + number)) $options"; done
    sed '1,/^ *server .*/d; /^ *server .*/d' "$here/nginx/replicas.conf"
} > "$folder/replicas.conf"
sed "s/listen 8080;/listen 127.0.0.1:$port;/" "$here/nginx/nginx.conf" > "$folder/nginx.conf"

replica() {
    local child=
    trap 'stopping=yes; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null || true' TERM
    trap '' INT
    while [ -z "${stopping:-}" ]; do
        PYTHONPATH="$here/..${PYTHONPATH:+:$PYTHONPATH}" DETECTOR_API_HOST=127.0.0.1 DETECTOR_API_PORT=$1 "$python" -m detector.api &
        child=$!
        echo "Replica on port $1 is process $child" >&2
        # A signal ends the first wait, not the child.
        wait "$child" || true
        [ -z "${stopping:-}" ] || wait "$child" || true
        # One that never answered will not do so the next time either.
        [ -n "${stopping:-}" ] || [ -e "$folder/answered-$1" ] || exit 1
        [ -n "${stopping:-}" ] || sleep 1
    done
}

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

children=()
finish() {
    trap '' INT TERM
    # First nginx, which answers what it has taken, then the replicas, which do the same.
    [ -z "${front:-}" ] || { kill -QUIT "$front" 2>/dev/null && wait "$front" || true; }
    kill -TERM "${children[@]}" 2>/dev/null || true
    wait || true
    rm -rf "$folder"
}
trap finish EXIT
trap 'exit 0' INT TERM

begin() {
    replica "$1" &
    children+=($!)
}
await() {
    until answers "$1"; do
        kill -0 "$2" 2>/dev/null || { echo "What was to listen on port $1 has ended; its last lines say why." >&2; exit 1; }
        sleep 0.2
    done
    touch "$folder/answered-$1"
}

# The first brings the tables to the release's form and compiles what has to be compiled, for all of them.
begin $((port + 1))
await $((port + 1)) "${children[0]}"
for number in $(seq 2 "$replicas"); do begin $((port + number)); done
for number in $(seq 2 "$replicas"); do await $((port + number)) "${children[$((number - 1))]}"; done
"$nginx" -p "$folder" -c "$folder/nginx.conf" >&2 &
front=$!
await "$port" "$front"
echo "$replicas replicas behind http://127.0.0.1:$port. Ctrl-C ends all." >&2
wait "$front"
