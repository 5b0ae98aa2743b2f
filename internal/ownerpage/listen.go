package ownerpage

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// maxConnections bounds what clients can make the server keep: each has a header of at
// most maxHeader octets, and ends within idle seconds of silence.
const (
	maxConnections = 1000
	maxHeader      = 8 << 10
)

// Serve answers requests that come in on listener until ctx is done; then it finishes
// those that it has. It returns an error only if serving failed.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, logger *slog.Logger) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       10 * time.Second,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(debugWriter{logger}, "", 0), // whoever connects could fill the log
	}
	done := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
	})
	if err := server.Serve(netutil.LimitListener(listener, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("owner's page: %w", err)
	}
	<-done // Serve returns as soon as Shutdown begins
	return nil
}

// debugWriter writes what net/http has to say about clients.
type debugWriter struct{ log *slog.Logger }

func (d debugWriter) Write(b []byte) (int, error) {
	d.log.Debug("owner's page", "text", string(b))
	return len(b), nil
}
