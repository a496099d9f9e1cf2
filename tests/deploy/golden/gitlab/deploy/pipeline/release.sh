#!/bin/sh
# Brings the images of a tag, and the version that the pipeline has trained, to the namespace flights; or
# takes them back.
# usage: release.sh deploy|offer|rollback TAG
#   deploy    the new version answers at once
#   offer     the loop tries it first, by the steps of [rollout]
#   rollback  what was there before answers again
# Once, by hand: `kubectl apply -k` an overlay of deploy/kubernetes, with its secrets.
set -eu

say() { printf 'release: %s\n' "$1" >&2; }

case ${2-} in
  '' | *[!A-Za-z0-9._-]*) say 'usage: release.sh deploy|offer|rollback TAG'; exit 2 ;;
esac
tag=$2

cluster() { kubectl --namespace 'flights' "$@"; }
siklus() { cluster exec -i 'deployment/flights-loop' --container loop -- siklus "$@"; }
# Without a loop the version is the one that is sealed into the server's image.
has_loop() { cluster get 'deployment/flights-loop' > /dev/null 2>&1; }

settled() {
  cluster rollout status 'deployment/flights-api' --timeout 5m
  if has_loop; then cluster rollout status 'deployment/flights-loop' --timeout 10m; fi
}

images() {
  cluster set image 'deployment/flights-api' "api=registry.gitlab.com/acme/flights:$tag"
  if has_loop; then cluster set image 'deployment/flights-loop' "loop=registry.gitlab.com/acme/flights-loop:$tag"; fi
  settled
}

version() {
  if ! has_loop; then return; fi
  tar -C 'deploy/docker/bundle' -cf - . | siklus push --bundle - --stage "$1"
  # The pods' own note that this release has brought a version: only such a one is taken back.
  cluster annotate --overwrite 'deployment/flights-loop' "siklus/arrived=$tag"
}

back() {
  if has_loop && [ "$(cluster get 'deployment/flights-loop' -o 'jsonpath={.metadata.annotations.siklus/arrived}')" = "$tag" ]; then
    siklus rollback --reason "release $tag failed" || :
  fi
  cluster rollout undo 'deployment/flights-api'
  if has_loop; then cluster rollout undo 'deployment/flights-loop'; fi
  settled
}

case $1 in
  deploy) images; version production ;;
  offer) images; version staging; siklus rollout start staging ;;
  rollback) back ;;
  *) say "no $1: deploy, offer or rollback"; exit 2 ;;
esac
say "$1 $tag: done"
