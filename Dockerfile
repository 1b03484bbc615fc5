# syntax=docker/dockerfile:1
# Quittance as one image: web, worker, beat, migrate and the sandboxes are commands of it.

FROM python:3.13-slim-trixie AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
WORKDIR /build
COPY requirements-uv.txt requirements-server.lock ./
RUN python -m venv /venv \
    && pip install --quiet --require-hashes --only-binary :all: -r requirements-uv.txt \
    && uv pip install --python /venv/bin/python --no-cache --require-hashes --only-binary :all: -r requirements-server.lock

FROM python:3.13-slim-trixie
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DJANGO_SETTINGS_MODULE=portal.settings
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin quittance \
    && install -d -o quittance -g quittance /srv/quittance /var/lib/quittance
COPY --from=build /venv /venv
WORKDIR /srv/quittance
COPY . .
# Static files need settings but no secret: these values live for one command and are not in the image.
RUN SECRET_KEY=collectstatic FIELD_KEYS=1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
    INDEX_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \
    DATABASE_URL=postgres://nobody@localhost/nothing REDIS_URL=redis://localhost/0 \
    python manage.py collectstatic --noinput --verbosity 0 \
    && python -m compileall -q accounts settlements payments campaigns integrations portal
USER quittance
EXPOSE 8000
# Two processes of four threads fit two cores; /dev/shm because the heartbeat file must not wait for a disk. No log of
# the server's own: it would hold the secrets of links in paths and referrers (AUTH-06); ours tells every request.
CMD ["gunicorn", "portal.wsgi", "--bind", "0.0.0.0:8000", "--workers", "2", "--threads", "4", \
    "--worker-tmp-dir", "/dev/shm", "--max-requests", "10000", "--max-requests-jitter", "1000", \
    "--graceful-timeout", "30", "--timeout", "60"]
