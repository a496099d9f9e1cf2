#!/bin/sh
# Brings the images of a tag, and the version that the pipeline has trained, to {{ host }}; or takes them back.
# usage: release.sh deploy|offer|rollback TAG
#   deploy    the new version answers at once
#   offer     the loop tries it first, by the steps of [rollout]
#   rollback  what was there before that tag answers again
# Once, by hand: the files of deploy/compose and their secrets lie in {{ folder }} of that machine.
set -eu

say() { printf 'release: %s\n' "$1" >&2; }

# The tag goes into a shell over there: plain characters only.
case ${2-} in
  '' | *[!A-Za-z0-9._-]*) say 'usage: release.sh deploy|offer|rollback TAG'; exit 2 ;;
esac
tag=$2

# A host whose key nobody has compared is not talked to.
over_there() { ssh -o BatchMode=yes -o StrictHostKeyChecking=yes '{{ host }}' "set -eu; cd '{{ folder }}'; $1"; }

# REVISION.VERSION of what answers there; the revision grows with each decision. Nothing before the first.
decided() {
  found=$(over_there 'docker compose exec -T loop siklus traffic show --json' < /dev/null) || return 1
  printf '%s\n' "$found" | sed -n -e 's/^ *"revision": \([0-9]*\).*/\1/p' -e 's/^ *"version": \([0-9]*\).*/\1/p' |
    head -n 2 | paste -s -d . -
}

# .release names the tag that comes, .env.before holds the settings to go back to. Nothing else changes yet.
remember() {
  over_there "touch .env; cp -p .env .env.new; mv .env.new .env.before; rm -f .decided; echo '$tag' > .release" < /dev/null
}

# .env names the images that run.
images() {
  over_there "cp -p .env.before .env.new
    { awk '!/^{{ variable }}=/' .env.before; echo '{{ variable }}=$tag'; } > .env.new
    mv .env.new .env
    docker compose pull --quiet {{ services }}
    docker compose up --detach --wait --no-build" < /dev/null
}

# .decided is what answered before this release.
version() {
  before=$(decided)
  over_there "echo '$before' > .decided" < /dev/null
  tar -C '{{ bundle }}' -cf - . | over_there "docker compose exec -T loop siklus push --bundle - --stage $1"
}

# Only what was decided since: a version that never arrived must not cost the one before it its place.
undecided() {
  before=$(over_there 'if [ -e .decided ]; then cat .decided; else echo never; fi' < /dev/null) || return 1
  if [ "$before" = never ]; then return; fi
  now=$(decided) || return 1
  if [ "$now" = "$before" ]; then return; fi
  if [ -z "$before" ]; then say 'nothing answered before this version, so it stays'; return; fi
  over_there "docker compose exec -T loop siklus rollback --to '${before#*.}' --reason 'release $tag failed'
    rm -f .decided" < /dev/null
}

back() {
  came=$(over_there 'if [ -e .release ]; then cat .release; fi' < /dev/null)
  if [ "$came" != "$tag" ]; then say "nothing of $tag has come, or it is taken back already"; exit; fi
  # Where the loop that has come cannot do it, the one before it can.
  undone=yes
  undecided || undone=no
  over_there 'cp -p .env.before .env; docker compose up --detach --wait --no-build' < /dev/null
  if [ "$undone" = no ] && ! undecided; then
    say 'the images are those from before, but the version is not: siklus rollback in the loop says why'
    exit 1
  fi
  over_there 'rm -f .release .decided' < /dev/null
}

case $1 in
  deploy) remember; images; version production ;;
  offer)
    remember
    images
    version staging
    over_there 'docker compose exec -T loop siklus rollout start staging' < /dev/null
    ;;
  rollback) back ;;
  *) say "no $1: deploy, offer or rollback"; exit 2 ;;
esac
say "$1 $tag: done"
