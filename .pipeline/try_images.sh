#!/usr/bin/env bash
# Run the images' entry points as `docker run` would, up to a prediction, where there is no container engine.
#
#   .pipeline/try_images.sh        after .pipeline/build_images.sh; as root; most of its minutes go into copying
#
# It is the walk-through of the README: mocks, a lenient server with its model mounted, one event by curl, and the
# prediction read back from the mock EventGate, and from a lake by SQL. Exits 0 only if it is there.
#
# STORE is where the images are, as in build_images.sh. The containers share this machine's network, so the ports 8080,
# 8081, 8192 and 8193 must be free.
set -euo pipefail
cd "$(dirname "$0")/.."

store=$(realpath "${STORE:-build/images}")
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
model=revertrisk-multilingual
stream=mediawiki.page_revert_risk_multilingual_prediction_change.v1
image() { buildah --root "$store/storage" --runroot "$store/run" --storage-driver vfs "$@"; }

for port in 8080 8081 8192 8193; do
    ! (: </dev/tcp/127.0.0.1/$port) 2>/dev/null || {
        echo "try_images: something listens on port $port already" >&2
        exit 2
    }
done

containers=()
groups=()
finish() {
    for group in "${groups[@]}"; do kill -TERM -- "-$group" 2>/dev/null || true; done
    for group in "${groups[@]}"; do while kill -0 -- "-$group" 2>/dev/null; do sleep 0.2; done; done
    ((${#containers[@]})) && image rm "${containers[@]}" >/dev/null
}
trap finish EXIT
set -m # each program in a process group of its own, so that all of it can be ended

# start LOG IMAGE [buildah run's options…] -- [arguments of the entry point…; none: the image's own]
start() {
    local log=$store/$1.log from=localhost/revertrisk-$2:$version options=() container command
    shift 2
    while [[ $1 != -- ]]; do options+=("$1") && shift; done
    shift
    container=$(image from --pull-never "$from")
    containers+=("$container")
    mapfile -t command < <(image inspect --format '{{range .OCIv1.Config.Entrypoint}}{{println .}}{{end}}' "$container" | sed '/^$/d')
    if (($#)); then
        command+=("$@")
    else
        mapfile -t -O "${#command[@]}" command < <(image inspect --format '{{range .OCIv1.Config.Cmd}}{{println .}}{{end}}' "$container" | sed '/^$/d')
    fi
    echo "run ${options[*]} ${from#localhost/} → ${command[*]}"
    image run --isolation chroot "${options[@]}" "$container" -- "${command[@]}" >"$log" 2>&1 &
    groups+=("$!")
    disown
}

# wait_for URL LOG
wait_for() {
    for _ in $(seq 600); do
        curl --silent --fail --output /dev/null "$1" && return
        kill -0 -- "-${groups[-1]}" 2>/dev/null || break
        sleep 0.2
    done
    echo "try_images: nothing answers at $1; the end of $store/$2.log:" >&2
    tail -n 20 "$store/$2.log" >&2
    exit 1
}

start gate mocks --
wait_for http://127.0.0.1:8192/_info gate
start wiki mocks -- mock-mediawiki --host 0.0.0.0
wait_for http://127.0.0.1:8193/_mock/stats wiki
start server server --volume "$PWD/revertrisk/scoring/artifacts/$model:/mnt/models:ro" \
    --env MODEL_NAME=$model --env MODEL_PATH=/mnt/models --env FORCE_HTTP=true \
    --env ALLOW_REVISION_JSON_INPUT=true --env LENIENT_EVENTS=true --env WIKI_URL=http://127.0.0.1:8193 \
    --env EVENTGATE_URL=http://127.0.0.1:8192 --env EVENTGATE_STREAM=$stream --
wait_for http://127.0.0.1:8080/v2/health/ready server

answer=$(curl --silent --fail-with-body -H 'Content-Type: application/json' \
    "http://127.0.0.1:8080/v1/models/$model:predict" -d '{"event": {"$schema": "/mediawiki/page/change/1",
        "meta": {"domain": "en.wikipedia.org", "stream": "mediawiki.page_change"}, "wiki_id": "enwiki",
        "page": {"page_id": 12345, "page_title": "Test Article"}, "revision": {"rev_id": 123456789}}}') || {
    echo "try_images: the server answers $answer" >&2
    exit 1
}
echo "answer:        $answer"
event=$(curl --silent --fail "http://127.0.0.1:8192/_mock/events?stream=$stream")
echo "on the stream: $event"

lake=/var/lib/revertrisk/lake
start lake analytics -- lake run --source "eventstreams:http://127.0.0.1:8192/v2/stream/$stream" --from-beginning \
    --batch-seconds 1 --to $lake --key-file /var/lib/revertrisk/keys/lake
rows=
for _ in $(seq 60); do
    rows=$(image run --isolation chroot "${containers[-1]}" -- revertrisk sql --lake $lake --format csv \
        'SELECT wiki_id, rev_id, probability FROM prediction' 2>>"$store/lake.log" | tail -n +2) || true
    [[ -z $rows ]] || break
    sleep 1
done
echo "in the lake:   $rows"
[[ $rows == enwiki,123456789,* && $answer == *'"wiki_db":"enwiki","revision_id":123456789,'* && $event == *'"predicted_classification":{"model_name":"'$model'"'* ]]
