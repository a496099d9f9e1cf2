# All of Siklus with the project flights: trainings, the watch, retraining and rollouts.
#
#     docker build -f deploy/docker/loop.Dockerfile -t ghcr.io/acme/flights-loop:TAG .
#     docker run --read-only --tmpfs /tmp -v flights-state:/srv/state ghcr.io/acme/flights-loop:TAG siklus train

FROM python:3.12-slim-bookworm AS build
RUN python -m venv --without-pip /srv/venv
COPY deploy/docker/requirements-loop.lock /build/
RUN pip --python /srv/venv/bin/python install --no-cache-dir --no-compile \
        --no-deps --require-hashes --requirement /build/requirements-loop.lock \
    && pip --python /srv/venv/bin/python install --no-cache-dir --no-compile --no-deps siklus==1.2.0
# Whoever only reads cannot keep bytecode; a training starts a process many times.
RUN python -m compileall -q -j 0 /srv/venv \
    && install --directory --owner=10001 --group=10001 /build/state /build/run

FROM python:3.12-slim-bookworm
COPY --from=build /srv/venv /srv/venv
COPY --from=build --chown=10001:10001 /build/state /srv/state
COPY --from=build --chown=10001:10001 /build/run /run/siklus
WORKDIR /srv/project
COPY siklus.toml ./siklus.toml
COPY contract.json ./contract.json
COPY *.py ./
COPY keys/release.pub ./keys/release.pub
COPY flights.csv ./flights.csv

# What libraries keep for themselves goes to /tmp, and all that must last to the volume.
ENV PATH=/srv/venv/bin:$PATH HOME=/tmp MPLCONFIGDIR=/tmp/matplotlib \
    SIKLUS_STATE__DIRECTORY=/srv/state PYTHONUNBUFFERED=1
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
CMD ["siklus", "up"]

ARG REVISION=unknown
LABEL org.opencontainers.image.title="flights-loop" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.base.name="python:3.12-slim-bookworm"
