#!/usr/bin/env bash
# The floor: the same containers on the same images, brought up by the plainest script there is: etcd, two Patroni members,
# HAProxy. Prints the seconds until the replica streams, and removes everything again.
#
#   bench/floor.sh NAME DIRECTORY PORT_BASE CONSENSUS MEMBER PROXY     DIRECTORY as written by python -m bench.materials;
#                                                                      the last three are images
set -euo pipefail

name=$1 directory=$2 port=$3 consensus=$4 member=$5 proxy=$6
timeout_s=120

remove() {
  local ids
  ids=$(docker ps -aq --filter "label=pipe.stack=$name")
  [[ -z $ids ]] || xargs docker rm -f -v >/dev/null <<<"$ids"
  ids=$(docker volume ls -q --filter "label=pipe.stack=$name")
  [[ -z $ids ]] || xargs docker volume rm >/dev/null <<<"$ids"
  docker network rm "$name" >/dev/null 2>&1 || true
}
trap remove EXIT

label=(--label "pipe.stack=$name")
hardened=(
  --detach --init --read-only --cap-drop ALL --security-opt no-new-privileges:true --group-add 0
  --tmpfs "/tmp:rw,noexec,nosuid,nodev,size=64m,mode=1777"
)

# run CONTAINER IMAGE OPTION...: its files into a volume, then the daemon, which mounts that volume read-only.
run() {
  local container=$1 image=$2
  shift 2
  docker volume create "${label[@]}" "$name-$container-config" >/dev/null
  docker create "${label[@]}" --name "$name-$container-config" --network none \
    -v "$name-$container-config:/etc/pipe" "$image" >/dev/null
  (cd "$directory/$container" && tar --owner=0 --group=0 --mode=0640 -c -- *) |
    docker cp - "$name-$container-config:/etc/pipe"
  docker run "${label[@]}" "${hardened[@]}" --name "$name-$container" --hostname "$container" \
    --network "$name" --network-alias "$container" -v "$name-$container-config:/etc/pipe:ro" "$@" "$image" >/dev/null
}

# streaming MEMBER: succeeds when a replica streams from it.
streaming() {
  local answer
  answer=$(docker exec "$name-$1" psql -XAtqc \
    "select 1 from pg_stat_replication where state = 'streaming' limit 1" postgres 2>/dev/null) && [[ $answer == 1 ]]
}

started=${EPOCHREALTIME/./}
docker network create "${label[@]}" "$name" >/dev/null
for volume in etcd-0 member-0 member-1; do
  docker volume create "${label[@]}" "$name-$volume" >/dev/null
done
run etcd-0 "$consensus" -v "$name-etcd-0:/var/lib/etcd" --memory 256m
for i in 0 1; do
  run "member-$i" "$member" -v "$name-member-$i:/var/lib/postgresql" --memory 512m --cpus 1 --shm-size 128m \
    --tmpfs "/var/log/postgresql:rw,noexec,nosuid,nodev,size=16m,mode=0700,uid=999,gid=999" \
    -p "127.0.0.1:$((port + 8 + i)):8008"
done
run proxy "$proxy" -p "127.0.0.1:$port:5432" -p "127.0.0.1:$((port + 1)):5433" --memory 128m

# Either member may have won the race for the leader's key.
until streaming member-0 || streaming member-1; do
  if ((${EPOCHREALTIME/./} - started > timeout_s * 1000000)); then
    echo "floor: no replica streams after $timeout_s s" >&2
    docker logs --tail 20 "$name-member-0" >&2
    exit 1
  fi
  sleep 0.1
done
elapsed=$((${EPOCHREALTIME/./} - started))
printf '%d.%03d\n' $((elapsed / 1000000)) $((elapsed / 1000 % 1000))
