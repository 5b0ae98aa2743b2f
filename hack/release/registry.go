package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// registryCommand serves an empty registry until it is told to stop. What it is
// asked for it says on standard output, one line each.
func registryCommand(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("registry", flag.ContinueOnError)
	listen := f.String("listen", "127.0.0.1:5000", "address; plain HTTP, so on loopback only")
	dir := f.String("dir", "", "where to keep layers")
	if err := f.Parse(args); err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(*listen)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("%s is not on loopback: this registry lets everybody write", *listen)
	}
	if *dir == "" {
		return errors.New("-dir is needed: where to keep layers")
	}
	if err := os.MkdirAll(*dir, 0o700); err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", *listen)
	if err != nil {
		return err
	}
	quiet := log.New(os.Stderr, "", 0)
	inner := registry.New(registry.WithBlobHandler(registry.NewDiskBlobHandler(*dir)), registry.WithReferrersSupport(true), registry.Logger(quiet))
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL.Path, r.UserAgent())
		inner.ServeHTTP(w, r)
	})}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
