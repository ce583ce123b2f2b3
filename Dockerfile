# Two images: the agent (the last, and so the default), and SIPp as the phones and carriers of compose.yaml.

FROM python:3.11-slim-bookworm AS build
WORKDIR /source
COPY setup.cfg pyproject.toml README.md ./
COPY esl_agent ./esl_agent
COPY sql ./sql
COPY dialplan ./dialplan
COPY etc ./etc
COPY monitoring ./monitoring
RUN pip wheel --no-cache-dir --wheel-dir /wheels .

FROM debian:bookworm-slim AS sipp
RUN apt-get update \
 && apt-get install --yes --no-install-recommends sip-tester \
 && rm -rf /var/lib/apt/lists/*
USER 10001:10001
ENTRYPOINT ["sipp"]

FROM python:3.11-slim-bookworm AS agent
LABEL org.opencontainers.image.title="esl-agent" \
      org.opencontainers.image.description="Prepaid call control and rating beside FreeSWITCH"
# A volume that is empty takes over the owner of the folder that it is mounted on.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin esl-agent \
 && install --directory --owner=10001 --group=10001 --mode=0750 \
    /lab /run/esl-agent /var/lib/esl-agent /var/lib/esl-agent/journal /var/log/freeswitch/json_cdr
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links=/wheels esl-agent
USER 10001:10001
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s \
    CMD ["esl-agent", "health", "--config", "/etc/esl-agent/esl-agent.toml"]
ENTRYPOINT ["esl-agent"]
CMD ["run", "--config", "/etc/esl-agent/esl-agent.toml"]
