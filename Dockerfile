# syntax=docker/dockerfile:1
# The image of signpost: one static binary, the public CAs, and nothing else. It
# runs as 65532, has no shell, and writes nowhere.
#
# The last stage is "scratch" with what a distroless static image would have that
# Signpost needs: the CAs (for a rediss:// or ACME server with a public
# certificate) and the names of the user and group. There is no base image whose
# digest must be kept up to date. Only the build stage has one: BUILDER can be set
# to an image by digest.
ARG BUILDER=golang:1.26

FROM --platform=$BUILDPLATFORM ${BUILDER} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS=linux TARGETARCH=amd64 VERSION=unknown
# The same sources give the same bytes: no paths, no time, no VCS state.
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X github.com/signpost-acme/signpost/internal/version.version=$VERSION" -o /out/signpost . \
 && mkdir -p /out/etc/ssl/certs \
 && cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ \
 && echo 'nonroot:x:65532:65532:nonroot:/:/nonexistent' >/out/etc/passwd \
 && echo 'nonroot:x:65532:' >/out/etc/group \
 && find /out -exec touch --no-dereference --date=@0 {} +

FROM scratch
ARG VERSION=unknown
LABEL org.opencontainers.image.title="signpost" \
      org.opencontainers.image.description="A cert-manager DNS-01 webhook solver with its own DNS server" \
      org.opencontainers.image.source="https://github.com/signpost-acme/signpost" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION"
COPY --from=build /out/ /
USER 65532:65532
EXPOSE 1053/udp 1053/tcp 8443/tcp 8080/tcp
ENTRYPOINT ["/signpost"]
