package server

import (
	"fmt"
	"io"
	"log"
	"log/slog"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"k8s.io/klog/v2"
)

// newLogger returns the one logger of the process, to which the Kubernetes
// libraries and the standard library write too.
func newLogger(w io.Writer, format string, level slog.Level) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewTextHandler(w, options)
	if format == "json" {
		handler = slog.NewJSONHandler(w, options)
	}
	logger := slog.New(handler)
	slog.SetDefault(logger)
	log.SetFlags(0)
	klog.SetSlogLogger(logger)
	if level > slog.LevelDebug {
		redis.SetLogger(&logging.VoidLogger{}) // its errors come back to us; its log would repeat them for every try
	}
	return logger
}

func parseLevel(s string) (slog.Level, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s)); err != nil {
		return 0, fmt.Errorf("%q is none of debug, info, warn, error", s)
	}
	return level, nil
}
