# All of Siklus with the project {{ name }}: trainings, the watch, retraining and rollouts.
#
#     docker build -f {{ here }}/loop.Dockerfile -t {{ image }}-loop:TAG .
#     docker run --read-only --tmpfs /tmp -v {{ name }}-state:/srv/state {{ image }}-loop:TAG siklus train

FROM {{ base }} AS build
RUN python -m venv --without-pip /srv/venv
COPY {{ here }}/requirements-loop.lock /build/
RUN pip --python /srv/venv/bin/python install --no-cache-dir --no-compile \
        --no-deps --require-hashes --requirement /build/requirements-loop.lock{% if requirement %} \
    && pip --python /srv/venv/bin/python install --no-cache-dir --no-compile --no-deps {{ requirement }}{% endif %}

{% if wheel %}
COPY {{ wheel }} /build/
RUN pip --python /srv/venv/bin/python install --no-cache-dir --no-compile --no-deps /build/{{ wheel_name }}
{% endif %}
# Whoever only reads cannot keep bytecode; a training starts a process many times.
RUN python -m compileall -q -j 0 /srv/venv \
    && install --directory --owner=10001 --group=10001 /build/state /build/run

FROM {{ base }}
COPY --from=build /srv/venv /srv/venv
COPY --from=build --chown=10001:10001 /build/state /srv/state
COPY --from=build --chown=10001:10001 /build/run /run/siklus
WORKDIR /srv/project
{% for file in files %}
COPY {{ file }} {{ "./" if "*" in file else "./" ~ file }}
{% endfor %}
{% if data and not with_data %}
# Rows are no part of an image: mount them at /srv/project/{{ data }}, or `siklus deploy docker --with-data`.
{% endif %}

# What libraries keep for themselves goes to /tmp, and all that must last to the volume.
ENV PATH=/srv/venv/bin:$PATH HOME=/tmp MPLCONFIGDIR=/tmp/matplotlib \
    SIKLUS_STATE__DIRECTORY=/srv/state PYTHONUNBUFFERED=1
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
CMD ["siklus", "up"]

ARG REVISION={{ released.revision }}
LABEL org.opencontainers.image.title="{{ name }}-loop" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.base.name="{{ base }}"
