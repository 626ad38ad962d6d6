# syntax=docker/dockerfile:1
# Both programs as static builds, in an image without shell or package manager, under a user without rights.
#
#   docker build -t kapso-whatsapp .
#   docker run -v kapso-whatsapp:/data -e KAPSO_API_KEY -e KAPSO_PHONE_NUMBER_ID kapso-whatsapp

FROM rust:1-alpine AS build
RUN apk add --no-cache build-base
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --package kapso-whatsapp-poller --package kapso-whatsapp-cli \
    && mkdir -p /out/usr/local/bin \
    && cp target/release/kapso-whatsapp-poller target/release/kapso-whatsapp-cli /out/usr/local/bin/ \
    && install -d -m 0700 -o 65532 -g 65532 /out/data

# "static" has certificate authorities, time zones and a user "nonroot" (65532), and nothing else.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/ /
# The journal, the identity at the gateway and config.toml, if there is one.
ENV HOME=/data KAPSO_STATE_DIR=/data
VOLUME /data
# Pushed messages, in `domain` mode.
EXPOSE 18790
USER 65532:65532
# Degraded is unhealthy too: something for a person to look at. Restart on an unhealthy state gains nothing.
HEALTHCHECK --interval=30s --timeout=6s --start-period=30s --retries=4 \
    CMD ["/usr/local/bin/kapso-whatsapp-cli", "status"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/kapso-whatsapp-poller"]
