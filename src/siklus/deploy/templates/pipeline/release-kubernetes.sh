#!/bin/sh
# Brings the images of a tag, and the version that the pipeline has trained, to the namespace {{ namespace }}; or
# takes them back.
# usage: release.sh deploy|offer|rollback TAG
#   deploy    the new version answers at once
#   offer     the loop tries it first, by the steps of [rollout]
#   rollback  what was there before that tag answers again
# Once, by hand: `kubectl apply -k` an overlay of deploy/kubernetes, with its secrets.
set -eu

say() { printf 'release: %s\n' "$1" >&2; }

case ${2-} in
  '' | *[!A-Za-z0-9._-]*) say 'usage: release.sh deploy|offer|rollback TAG'; exit 2 ;;
esac
tag=$2
case $1 in
  deploy | offer | rollback) ;;
  *) say "no $1: deploy, offer or rollback"; exit 2 ;;
esac

api='deployment/{{ n }}-api'
loop='deployment/{{ n }}-loop'
cluster() { kubectl --namespace '{{ namespace }}' "$@"; }
siklus() { cluster exec -i "$loop" --container loop -- siklus "$@"; }

# Without a loop the version is the one that is sealed into the server's image.
has_loop=$(cluster get "$loop" --ignore-not-found -o name)
if [ "$1" = offer ] && [ -z "$has_loop" ]; then say 'no loop runs there that could try a version'; exit 1; fi

# Notes of a release stand on the deployments, which restarts nothing.
note() { cluster annotate --overwrite "$@" > /dev/null; }
noted() { cluster get "$1" -o "jsonpath={.metadata.annotations.siklus/$2}"; }
image() { cluster get "deployment/{{ n }}-$1" -o "jsonpath={.spec.template.spec.containers[?(@.name=='$1')].image}"; }

# REVISION.VERSION of what answers there; the revision grows with each decision. Nothing before the first.
decided() {
  found=$(siklus traffic show --json < /dev/null) || return 1
  printf '%s\n' "$found" | sed -n -e 's/^ *"revision": \([0-9]*\).*/\1/p' -e 's/^ *"version": \([0-9]*\).*/\1/p' |
    head -n 2 | paste -s -d . -
}

# What to go back to. Nothing else changes yet.
remember() {
  if [ -n "$has_loop" ]; then
    before=$(image loop)
    note "$loop" "siklus/before=$before" siklus/decided=never
  fi
  before=$(image api)
  note "$api" "siklus/before=$before" "siklus/release=$tag"
}

# usage: run API_IMAGE LOOP_IMAGE. The server's pods begin with what the loop's image brings to their volume.
run() {
  if [ -n "$has_loop" ]; then
    cluster set image "$loop" "loop=$2"
    cluster set image "$api" "api=$1" "bundles=$2"
  else
    cluster set image "$api" "api=$1"
  fi
  cluster rollout status "$api" --timeout 5m
  if [ -n "$has_loop" ]; then cluster rollout status "$loop" --timeout 10m; fi
}

version() {
  if [ -z "$has_loop" ]; then return; fi
  before=$(decided)
  note "$loop" "siklus/decided=$before"
  tar -C '{{ bundle }}' -cf - . | siklus push --bundle - --stage "$1"
}

# Only what was decided since: a version that never arrived must not cost the one before it its place.
undecided() {
  if [ -z "$has_loop" ]; then return; fi
  before=$(noted "$loop" decided) || return 1
  if [ "$before" = never ]; then return; fi
  now=$(decided) || return 1
  if [ "$now" = "$before" ]; then return; fi
  if [ -z "$before" ]; then say 'nothing answered before this version, so it stays'; return; fi
  siklus rollback --to "${before#*.}" --reason "release $tag failed" < /dev/null && note "$loop" siklus/decided=never
}

back() {
  came=$(noted "$api" release)
  if [ "$came" != "$tag" ]; then say "nothing of $tag has come, or it is taken back already"; exit; fi
  # Where the loop that has come cannot do it, the one before it can.
  undone=yes
  undecided || undone=no
  api_before=$(noted "$api" before)
  loop_before=$(if [ -n "$has_loop" ]; then noted "$loop" before; fi)
  run "$api_before" "$loop_before"
  if [ "$undone" = no ] && ! undecided; then
    say 'the images are those from before, but the version is not: siklus rollback in the loop says why'
    exit 1
  fi
  note "$api" siklus/release-
}

case $1 in
  deploy) remember; run "{{ image }}:$tag" "{{ image }}-loop:$tag"; version production ;;
  offer)
    remember
    run "{{ image }}:$tag" "{{ image }}-loop:$tag"
    version staging
    siklus rollout start staging < /dev/null
    ;;
  rollback) back ;;
esac
say "$1 $tag: done"
