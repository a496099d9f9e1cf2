#!/bin/sh
# Brings the images of a tag, and the version that the pipeline has trained, to deploy@model.example.com; or takes them back.
# usage: release.sh deploy|offer|rollback TAG
#   deploy    the new version answers at once
#   offer     the loop tries it first, by the steps of [rollout]
#   rollback  what was there before answers again
# Once, by hand: the files of deploy/compose and their secrets lie in /srv/flights of that machine.
set -eu

say() { printf 'release: %s\n' "$1" >&2; }

# The tag goes into a shell over there: plain characters only.
case ${2-} in
  '' | *[!A-Za-z0-9._-]*) say 'usage: release.sh deploy|offer|rollback TAG'; exit 2 ;;
esac
tag=$2

over_there() { ssh -o BatchMode=yes 'deploy@model.example.com' "set -eu; cd '/srv/flights'; $1"; }

# .env names the images that run, and .env.before those to go back to.
images() {
  over_there "touch .env; cp -p .env .env.before; rm -f .arrived
    { grep -v '^TAG=' .env.before || :; echo 'TAG=$tag'; } > .env.new
    mv .env.new .env
    docker compose pull --quiet api loop
    docker compose up --detach --wait --no-build" < /dev/null
}

version() {
  tar -C 'deploy/docker/bundle' -cf - . |
    over_there "docker compose exec -T loop siklus push --bundle - --stage $1; touch .arrived"
}

back() {
  # A version is taken back only where this release has brought one.
  over_there "if [ -e .arrived ]; then
      docker compose exec -T loop siklus rollback --reason 'release $tag failed' || :
    fi
    if [ -e .env.before ]; then mv .env.before .env; fi
    docker compose up --detach --wait --no-build" < /dev/null
}

case $1 in
  deploy) images; version production ;;
  offer) images; version staging; over_there 'docker compose exec -T loop siklus rollout start staging' < /dev/null ;;
  rollback) back ;;
  *) say "no $1: deploy, offer or rollback"; exit 2 ;;
esac
say "$1 $tag: done"
