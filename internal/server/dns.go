package server

import (
	"context"
	"errors"
	"io"
)

// DNS is a replica that only serves DNS, anywhere that reaches Redis.
type DNS struct{ Options }

// Validate returns every mistake, as Options.Validate does: without Redis it could never
// have a value.
func (d *DNS) Validate(redisURLIsPublic bool) []string {
	mistakes := d.Options.Validate(redisURLIsPublic)
	if d.redis.URL == "" {
		mistakes = append(mistakes, "--redis-url: is needed: this server answers with what `signpost serve` writes into Redis, and without it would never have anything")
	}
	return mistakes
}

// Run serves until ctx is done, and logs to stderr. An error before anything is
// served means that a port is taken.
func (d *DNS) Run(ctx context.Context, stderr io.Writer) error {
	r, err := listen(&d.Options, stderr)
	if err != nil {
		return err
	}
	return r.run(ctx, parts{ready: func() error {
		if err := r.denied(false); err != nil {
			return err
		}
		if !r.copy.Synced() { // it would answer SERVFAIL
			return errors.New("the record store has not been read yet")
		}
		return nil
	}})
}
