# docker run --rm -v "$PWD:/stack" IMAGE    decides the questions of timewait.toml in the current folder
FROM python:3.12-slim AS build
COPY . /source
RUN python -m pip wheel --quiet --no-deps --wheel-dir /wheels /source

FROM python:3.12-slim
COPY --from=build /wheels /wheels
RUN python -m pip install --quiet --no-cache-dir "$(ls /wheels/*.whl)[certificates]" && rm -r /wheels \
    && useradd --uid 10001 --create-home timewait
USER timewait
WORKDIR /stack
ENTRYPOINT ["timewait"]
CMD ["ci"]
